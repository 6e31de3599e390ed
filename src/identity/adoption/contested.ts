import type { StoredLocalAssociation } from '../../storage/stores.ts';
import { foldAddress } from '../addresses.ts';
import { CONTESTED, isContested } from '../contested.ts';
import { type AdoptionDependencies, numberState } from './dependencies.ts';

const BATCH = 500;

/** Of two spellings of an address one at least is not the folded one. */
const isUnfolded = ({ medium, address, mxid }: StoredLocalAssociation) =>
  medium === 'email' && mxid !== undefined && foldAddress(medium, address) !== address;

/** How many addresses are contested: as it is noted, else from the log as a whole. */
export async function countContested(deps: AdoptionDependencies): Promise<number> {
  const { storage, keys, progress } = deps;
  const { stores } = storage;
  const noted = await numberState(stores, CONTESTED);
  if (noted !== undefined) return noted;
  let count = 0;
  let after = 0;
  const task = await progress.begin('Looking for addresses in several spellings', () =>
    stores.adoption.countLogAfter(after),
  );
  for (;;) {
    const entries = await stores.associations.logAfter(after, BATCH);
    const unfolded = entries.filter(isUnfolded);
    const folded = new Set(unfolded.map(({ address }) => foldAddress('email', address)));
    for (const all of (await stores.ownRows.entriesOf(keys.serverName, [...folded])).values()) {
      // Each address is counted with the first of its unfolded spellings.
      const first = all.filter(isUnfolded).toSorted((a, b) => a.id - b.id)[0];
      if (isContested(all) && unfolded.some(({ id }) => id === first?.id)) count++;
    }
    await task.advance(entries.length);
    after = entries.at(-1)?.id ?? after;
    if (entries.length < BATCH) break;
  }
  task.end();
  await stores.adoption.setState(CONTESTED, String(count));
  return count;
}
