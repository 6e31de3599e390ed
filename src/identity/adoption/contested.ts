import { foldAddress } from '../../model/addresses.ts';
import type { StoredLocalAssociation } from '../../storage/stores/index.ts';
import { CONTESTED, isContested, parseContested } from '../associations/contested.ts';
import type { AdoptionDependencies } from './dependencies.ts';

const BATCH = 500;

/** Of two spellings of an address one at least is not the folded one. */
const isUnfolded = ({ medium, address, mxid }: StoredLocalAssociation) =>
  medium === 'email' && mxid !== undefined && foldAddress(medium, address) !== address;

/** How many addresses are contested: as it is noted, else from the log as a whole. */
export async function countContested(deps: AdoptionDependencies): Promise<number> {
  const { storage, keys, progress } = deps;
  const { stores } = storage;
  let [count, upTo] = parseContested(await stores.state.get(CONTESTED));
  if (upTo === undefined) return count;
  const task = await progress.begin('Looking for addresses in several spellings', () =>
    stores.adoption.countLogAfter(upTo ?? 0),
  );
  while (upTo !== undefined) {
    const entries = await stores.associations.logAfter(upTo, BATCH);
    const unfolded = entries.filter(isUnfolded);
    const folded = new Set(unfolded.map(({ address }) => foldAddress('email', address)));
    for (const all of (
      await stores.ownAssociations.entriesOf(keys.serverName, [...folded])
    ).values()) {
      // Each address is counted with the first of its unfolded spellings.
      const first = all.filter(isUnfolded).toSorted((a, b) => a.id - b.id)[0];
      if (isContested(all) && unfolded.some(({ id }) => id === first?.id)) count++;
    }
    upTo = entries.length < BATCH ? undefined : entries.at(-1)?.id;
    const state = upTo === undefined ? [count] : [count, upTo];
    await stores.state.set(CONTESTED, JSON.stringify(state));
    await task.advance(entries.length);
  }
  task.end();
  return count;
}
