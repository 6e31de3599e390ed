import { foldAddress, hashedSpellings, type SpeltAddress } from '../../model/addresses.ts';
import { lookupHash } from '../../model/lookup-hash.ts';
import { isSameServer } from '../../model/server-name.ts';
import type { LookupKey } from '../../storage/stores/index.ts';

/** The keys by which lookups find an association, the folded spelling's first. */
export function lookupKeys(threepid: SpeltAddress, pepper: string): LookupKey[] {
  return hashedSpellings(threepid).map((spelling) => ({
    spelling,
    lookupHash: lookupHash(spelling, threepid.medium, pepper),
  }));
}

/** Whether the address may have been folded when it was stored: what a peer sent. The spelling it came in is signed. */
export const isFolded = (
  row: { readonly medium: string; readonly originServer: string },
  serverName: string,
) => row.medium === 'email' && !isSameServer(row.originServer, serverName);

/**
 * The address of a stored association, in the spelling that it was stored or sent with.
 * @param signedJson of one whose address may have been folded when it was stored
 */
export function storedAddress(
  row: { readonly medium: string; readonly address: string },
  signedJson?: string,
): SpeltAddress {
  const address = foldAddress(row.medium, row.address);
  const typed = row.address === address ? addressIn(signedJson) : row.address;
  const isSame = typed !== undefined && foldAddress(row.medium, typed) === address;
  return { medium: row.medium, address, typed: isSame ? typed : address };
}

function addressIn(signedJson: string | undefined): string | undefined {
  if (signedJson === undefined) return undefined;
  try {
    const { address } = Object(JSON.parse(signedJson)) as { address?: unknown };
    return typeof address === 'string' ? address : undefined;
  } catch {
    // Whoever wrote that row, its column is what there is.
    return undefined;
  }
}
