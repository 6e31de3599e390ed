import { foldAddress } from '../../model/addresses.ts';
import { lookupHash } from '../../model/lookup-hash.ts';
import type { LookupKey, StoredAssociation, Stores } from '../../storage/stores/index.ts';
import { CONTESTED } from '../associations/contested.ts';
import { isFolded, lookupKeys, storedAddress } from '../associations/lookup-keys.ts';

/** What is wrong with the keys by which lookups find an association. */
export interface IndexFaults {
  readonly missing: readonly LookupKey[];
  /** Whose hash is another one, with the right one. */
  readonly misHashed: readonly LookupKey[];
  /** Of another address: what is looked up by these finds the wrong user. */
  readonly foreign: readonly LookupKey[];
}

/**
 * Compares the keys of an association with those it should have. It may have more: of the spelling in which it was
 * bound here only its key is left, and earlier versions folded otherwise.
 */
export function indexFaults(
  row: StoredAssociation,
  { serverName, pepper }: { readonly serverName: string; readonly pepper: string },
): IndexFaults {
  const { medium, keys } = row;
  const address = storedAddress(row, isFolded(row, serverName) ? row.signedJson : undefined);
  const wanted = lookupKeys(address, pepper);
  const isOf = ({ spelling }: LookupKey) =>
    wanted.some((key) => key.spelling === spelling) ||
    foldAddress(medium, spelling) === address.address;
  return {
    missing: wanted.filter(({ spelling }) => !keys.some((key) => key.spelling === spelling)),
    misHashed: keys.filter(isOf).flatMap((key) => {
      const right = lookupHash(key.spelling, medium, pepper);
      return right === key.lookupHash ? [] : [{ spelling: key.spelling, lookupHash: right }];
    }),
    foreign: keys.filter((key) => !isOf(key)),
  };
}

/** Makes the keys of an association as they should be, in a transaction that has read them. */
export async function makeKeysAnew(
  { adoption, state, verification }: Stores,
  { id, medium }: StoredAssociation,
  { missing, misHashed, foreign }: IndexFaults,
): Promise<void> {
  for (const { spelling } of foreign) await verification.deleteKey(id, spelling);
  for (const key of misHashed) await adoption.setKeyHash(id, key.spelling, key.lookupHash);
  if (missing.length === 0) return;
  await adoption.insertKeys([{ id, medium, keys: missing }]);
  // Two users may have the mailbox now.
  await state.delete(CONTESTED);
}
