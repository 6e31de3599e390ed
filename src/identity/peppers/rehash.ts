import { lookupHash } from '../../model/lookup-hash.ts';
import type { RotatedPepper } from '../../model/lookup-peppers.ts';
import { stopwatch } from '../../platform/clock.ts';
import type { Leases } from '../../platform/leases.ts';
import type { Progress } from '../../platform/progress.ts';
import type { RotatedHash, Storage } from '../../storage/stores/index.ts';
import { isClaimed, type RotationWork, setWork, workOn } from './rotation-work.ts';

export interface RehashDependencies {
  readonly storage: Pick<Storage, 'stores' | 'transaction' | 'logTransaction'>;
  /** By the system's clock, as other programs beside the server claim this work, too. */
  readonly leases: Leases;
  readonly progress: Progress;
}

/** Read at once. */
const PAGE = 1000;
/**
 * Hashes that are made and sorted before they are stored, in the order in which the database keeps them: else each would
 * change a page of its own. This many take about 25 MB.
 */
const SORTED_AT_ONCE = 200_000;
/** Stored in one transaction, in about 10 ms: nobody else binds meanwhile. */
const STORED_AT_ONCE = 1000;
/** Milliseconds between two transactions: half of what the last one took, so that others who write have their time. */
const PAUSE = { shortest: 2, longest: 100 };
/** Deleted in one transaction, and the pause behind it: nobody is in a hurry. */
const DELETED_AT_ONCE = 500;
const DELETING_PAUSE = 20;
/** Milliseconds for which a claim holds unless renewed, and after which it is. */
const LEASE = 8000;
const RENEWAL = 2000;

/** The work has been taken over, or there is none any more. */
class NotOurs extends Error {
  override readonly name = 'NotOurs';
}

const pause = (milliseconds: number) =>
  new Promise<void>((resolve) => {
    setTimeout(resolve, milliseconds);
  });

/**
 * Makes the hashes by the pepper that is to come. It goes on where it was interrupted; one process does it at a time.
 * Takes the processor for itself for up to half a second at a time: not for a thread that answers anybody.
 * @returns false when another process is at it, or there is nothing to be done
 */
export async function rehash(deps: RehashDependencies): Promise<boolean> {
  const { next } = await deps.storage.stores.peppers.read();
  if (next?.pepper === undefined) return false;
  try {
    await makeHashes({ number: next.number, pepper: next.pepper }, deps);
    return true;
  } catch (error) {
    if (error instanceof NotOurs) return false;
    throw error;
  }
}

async function makeHashes(next: RotatedPepper, deps: RehashDependencies): Promise<void> {
  const { storage, leases, progress } = deps;
  const { peppers } = storage.stores;
  const { number } = next;
  let sinceRenewal = stopwatch();

  /** Stores what is given, unless the work is somebody else's, and renews the claim. */
  const write = (
    hashes: readonly RotatedHash[],
    reached: Partial<Pick<RotationWork, 'done' | 'percent' | 'isDone'>>,
  ) =>
    storage.logTransaction(async (stores) => {
      const lease = leases.lease(LEASE);
      const known = await workOn(stores.state, number);
      const isAskedFor = (await stores.peppers.read()).next?.number === number;
      if (!isAskedFor || known?.isDone || isClaimed(known, lease)) throw new NotOurs();
      if (hashes.length > 0) await stores.peppers.add(number, hashes);
      const begun = { number, done: Number.MIN_SAFE_INTEGER, percent: 0, isDone: false };
      const { holder, until } = lease;
      const work = { ...begun, ...known, ...reached, holder, until };
      await setWork(stores.state, work);
      sinceRenewal = stopwatch();
      return work;
    });

  const { done } = await write([], {});
  try {
    const last = await peppers.lastId();
    const task = await progress.begin('Hashing the keys of lookups with the new pepper', last);
    const percentOf = (id: number) => Math.min(99, Math.floor((Math.max(0, id) / last) * 100));
    let after = done;
    for (;;) {
      const run = await readRun(after);
      if (run === undefined) break;
      const { hashes } = run;
      for (let from = 0; from < hashes.length; from += STORED_AT_ONCE) {
        const to = Math.min(from + STORED_AT_ONCE, hashes.length);
        const position = after < 0 && run.last <= 0 ? 0 : Math.max(0, after);
        const reached = position + (run.last - position) * (to / hashes.length);
        const isAll = to === hashes.length;
        const elapsed = stopwatch();
        await write(hashes.slice(from, to), {
          percent: percentOf(reached),
          ...(isAll ? { done: run.last } : {}),
        });
        task.reached(Math.round(reached), last);
        await pause(Math.min(Math.max(PAUSE.shortest, elapsed() / 2), PAUSE.longest));
      }
      after = run.last;
    }
    await write([], { percent: 100, isDone: true });
    task.end();
  } catch (error) {
    await giveBack();
    throw error;
  }

  /** The hashes of many keys behind that association, sorted; undefined when there are none. */
  async function readRun(behind: number) {
    const hashes: RotatedHash[] = [];
    let last: number | undefined;
    while (hashes.length < SORTED_AT_ONCE) {
      const page = await peppers.keysBehind(last ?? behind, PAGE);
      if (page === undefined) break;
      last = page.last;
      for (const { id, spelling, medium } of page.keys) {
        hashes.push({ id, hash: lookupHash(spelling, medium, next.pepper) });
      }
      if (sinceRenewal() > RENEWAL) await write([], {});
    }
    if (last === undefined) return undefined;
    hashes.sort((a, b) => (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0));
    return { hashes, last };
  }

  /** So that others need not wait until the claim lapses. */
  async function giveBack(): Promise<void> {
    await storage
      .logTransaction(async ({ state }) => {
        const work = await workOn(state, number);
        if (work?.holder === leases.holder) await setWork(state, { ...work, until: 0 });
      })
      .catch(() => {});
  }
}

/** Deletes the hashes by peppers that are gone. */
export async function deleteGone({ storage, progress }: RehashDependencies): Promise<void> {
  for (const number of (await storage.stores.peppers.read()).gone) {
    const task = await progress.begin('Deleting the hashes by a pepper that has ended', 0);
    let behind: string | undefined = '';
    while (behind !== undefined) {
      const from: string = behind;
      behind = await storage.transaction(({ peppers }) =>
        peppers.deleteBehind(number, from, DELETED_AT_ONCE),
      );
      await task.advance(behind === undefined ? 0 : DELETED_AT_ONCE);
      await pause(DELETING_PAUSE);
    }
    await storage.logTransaction(async ({ peppers }) => {
      const known = await peppers.read();
      await peppers.write({ ...known, gone: known.gone.filter((each) => each !== number) });
    });
    task.end();
  }
}
