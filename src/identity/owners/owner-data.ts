import type { Medium } from '../../model/addresses.ts';
import type { KeptRow, Storage } from '../../storage/stores/index.ts';
import {
  type ErasureDependencies,
  eraseAddress,
  type Kept,
  keptOf,
  removeTombstones,
  TRAIL,
} from '../erasure/erasure.ts';

/** A folded address whose owner asks. */
export interface OwnedThreePid {
  readonly medium: Medium;
  readonly address: string;
}

export interface OwnerDataDependencies extends ErasureDependencies {
  readonly storage: Pick<Storage, 'stores' | 'transaction' | 'logTransaction' | 'remnants'>;
}

/** What an operator's name, and a client's link, are to nobody else. */
const NOT_THEIRS: Readonly<Record<string, readonly string[]>> = {
  [TRAIL]: ['who', 'via'],
  sessions: ['next_link'],
};

function without(row: KeptRow, columns: readonly string[]): KeptRow {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !columns.includes(name)));
}

/**
 * What the owner of an address is given of it, so many of a kind at most: nothing of other addresses of the same user,
 * and nothing of the account, which need not be theirs.
 */
export async function knownOfOwner(
  deps: Pick<OwnerDataDependencies, 'storage'>,
  { medium, address }: OwnedThreePid,
  limit: number,
): Promise<Kept> {
  const kept = await keptOf(deps, { kind: 'address', medium, address }, limit);
  const given = Object.entries(kept)
    .filter(([, rows]) => rows.length > 0)
    .map(([place, rows]) => [place, rows.map((row) => without(row, NOT_THEIRS[place] ?? []))]);
  return Object.fromEntries(given);
}

/** Erases what is kept of an address, as `cognomen erase ADDRESS` does, and leaves nothing of it in the files' logs. */
export async function eraseForOwner(
  deps: OwnerDataDependencies,
  { medium, address }: OwnedThreePid,
): Promise<void> {
  await eraseAddress(deps, { medium, address });
  await removeTombstones(deps);
  await deps.storage.remnants?.clear();
}
