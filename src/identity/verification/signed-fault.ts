import { foldAddress } from '../../model/addresses.ts';
import { isSameServer } from '../../model/server-name.ts';
import type { AssociationRow } from '../../storage/stores/index.ts';
import { signedIn, toAssociation } from '../associations/signed-association.ts';
import type { ServerKeys } from '../server-keys.ts';
import type { Fault } from './findings.ts';

/** What is wrong with the signed JSON. What others signed was checked when it came: their keys may have changed since. */
export async function signedFault(
  row: AssociationRow,
  keys: Pick<ServerKeys, 'serverName' | 'hasSigned'>,
): Promise<Fault | undefined> {
  const signed = signedIn(row);
  if (signed === undefined) return 'unreadable';
  if (!isSameServer(row.originServer, keys.serverName)) return undefined;
  const { address, ...members } = signed.association;
  const { address: column, ...columns } = toAssociation(row);
  const isSame =
    foldAddress(members.medium, address) === foldAddress(columns.medium, column) &&
    Object.entries(columns).every(([name, value]) => Object(members)[name] === value);
  if (!isSame) return 'different';
  return (await keys.hasSigned(signed.object)) ? undefined : 'unsigned';
}
