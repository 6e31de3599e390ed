import { type LookupPeppers, nextNumber } from '../../model/lookup-peppers.ts';
import type { Clock } from '../../platform/clock.ts';
import { newPepper } from '../../platform/new-pepper.ts';
import type { Random } from '../../platform/random.ts';
import type { Storage } from '../../storage/stores/index.ts';
import { forgetWork, workOn } from './rotation-work.ts';

/** So many former peppers may work at once: each costs whoever binds one hash more. */
export const MOST_FORMER = 3;

/**
 * Milliseconds for which the hashes of a former pepper stay after its end: for lookups under way, and for clocks of other
 * nodes.
 */
const KEPT = 60_000;

type RotationStorage = Pick<Storage, 'stores' | 'logTransaction'>;

/** What became of the wish for a new pepper. */
export type Begun =
  | { readonly outcome: 'begun' | 'under-way'; readonly number: number }
  /** As many former ones work as may; the first of them ends then. */
  | { readonly outcome: 'too-many'; readonly until: number }
  /** Nodes of a version run beside that would refuse the new pepper. */
  | { readonly outcome: 'older-nodes' };

/** When the first of the former ones is gone. */
export const possibleFrom = ({ former }: Pick<LookupPeppers, 'former'>): number =>
  Math.min(...former.map(({ until }) => until)) + KEPT;

/** Begins a rotation: from now on whatever is bound gets its hashes by the new pepper, too. */
export async function beginRotation(
  storage: RotationStorage,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<Begun> {
  if (await storage.stores.peppers.hasOlderPrograms()) return { outcome: 'older-nodes' };
  return storage.logTransaction(async ({ peppers, state }): Promise<Begun> => {
    const known = await peppers.read();
    if (known.next !== undefined) return { outcome: 'under-way', number: known.next.number };
    if (known.former.length >= MOST_FORMER) {
      return { outcome: 'too-many', until: possibleFrom(known) };
    }
    const number = nextNumber(known);
    const next = { number, pepper: newPepper(random), begun: clock.now() };
    await peppers.write({ ...known, next });
    await forgetWork(state);
    return { outcome: 'begun', number };
  });
}

/** Puts the new pepper in force once all its hashes are there, and lets the one before it work for that long. */
export const completeRotation = (
  storage: RotationStorage,
  clock: Clock,
  grace: number,
): Promise<LookupPeppers | undefined> =>
  storage.logTransaction(async ({ peppers, state }) => {
    const { current, next, ...known } = await peppers.read();
    if (next === undefined || !(await workOn(state, next.number))?.isDone) return undefined;
    const now = clock.now();
    const { number, pepper } = current;
    const rotated = {
      current: { number: next.number, pepper: next.pepper, since: now },
      former: [{ number, pepper, until: now + grace }, ...known.former],
      gone: known.gone,
    };
    await peppers.write(rotated);
    await forgetWork(state);
    return rotated;
  });

/** From now on nobody makes hashes any more by peppers that ended long enough ago; how many there were. */
export async function retireFormer(storage: RotationStorage, clock: Clock): Promise<number> {
  const isOver = ({ until }: { readonly until: number }) => until + KEPT <= clock.now();
  if (!(await storage.stores.peppers.read()).former.some(isOver)) return 0;
  return storage.logTransaction(async ({ peppers }) => {
    const known = await peppers.read();
    const over = known.former.filter(isOver).map(({ number }) => number);
    await peppers.write({
      ...known,
      former: known.former.filter((each) => !isOver(each)),
      // Those of 0 stay, as they are what Sydent's tables go by.
      gone: [...known.gone, ...over.filter((number) => number !== 0)],
    });
    return over.length;
  });
}

/** Notes from when on the pepper is in force at least, where nobody knows. */
export async function noteSince(storage: RotationStorage, clock: Clock): Promise<void> {
  await storage.logTransaction(async ({ peppers }) => {
    const known = await peppers.read();
    if (known.current.since !== undefined) return;
    await peppers.write({ ...known, current: { ...known.current, since: clock.now() } });
  });
}
