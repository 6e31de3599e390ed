import { lookupHash } from '../../model/lookup-hash.ts';
import { type RotatedPepper, rotatedOf } from '../../model/lookup-peppers.ts';
import type { RotatedHash, StoredAssociation, Stores } from '../../storage/stores/index.ts';
import type { IndexFaults } from './index-faults.ts';

/** The peppers whose hashes are all there: lookups may go by them. */
async function completePeppers({ peppers }: Pick<Stores, 'peppers'>): Promise<RotatedPepper[]> {
  const { next: _, ...known } = await peppers.read();
  return rotatedOf(known);
}

export interface MissingHashes {
  readonly number: number;
  readonly hashes: readonly RotatedHash[];
}

/** An association, and what is wrong with its keys themselves. */
export interface IndexedRow {
  readonly row: StoredAssociation;
  readonly index: IndexFaults;
}

/** The hashes by rotated peppers that keys lack, those included that are still to be made. */
export async function missingHashes(
  stores: Pick<Stores, 'peppers'>,
  rows: readonly IndexedRow[],
): Promise<MissingHashes[]> {
  const found: MissingHashes[] = [];
  for (const { number, pepper } of await completePeppers(stores)) {
    const wanted = rows.flatMap(({ row: { id, medium, keys }, index: { missing, foreign } }) =>
      [...keys.filter((key) => !foreign.includes(key)), ...missing].map(({ spelling }) => ({
        id,
        hash: lookupHash(spelling, medium, pepper),
      })),
    );
    const hashes = await stores.peppers.missing(number, wanted);
    if (hashes.length > 0) found.push({ number, hashes });
  }
  return found;
}

/** Of these hashes those of keys that there are not. */
export async function staleAmong(
  { peppers }: Pick<Stores, 'peppers'>,
  { pepper }: RotatedPepper,
  hashes: readonly RotatedHash[],
): Promise<RotatedHash[]> {
  const keys = await peppers.keysOf([...new Set(hashes.map(({ id }) => id))]);
  const right = new Set(
    keys.map(({ id, spelling, medium }) => `${id} ${lookupHash(spelling, medium, pepper)}`),
  );
  return hashes.filter(({ id, hash }) => !right.has(`${id} ${hash}`));
}

const READ_AT_ONCE = 500;

/** All hashes by rotated peppers, part by part. */
export async function* hashesOfPeppers(stores: Pick<Stores, 'peppers'>) {
  for (const pepper of await completePeppers(stores)) {
    for (let after = ''; ; ) {
      const hashes = await stores.peppers.hashesBehind(pepper.number, after, READ_AT_ONCE);
      const last = hashes.at(-1)?.hash;
      if (last === undefined) break;
      yield { pepper, hashes };
      after = last;
    }
  }
}
