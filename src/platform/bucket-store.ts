import type { Clock } from './clock.ts';

/** A leaky bucket's measures: it holds so many units, and one leaves it every `interval`. */
export interface Measures {
  /** Units: what whoever asks may fill it up to. */
  readonly capacity: number;
  /** Units: what it can hold, whoever asks. */
  readonly ceiling: number;
  /** Milliseconds. */
  readonly interval: number;
  /** Nothing leaves it before midnight UTC, and then all does. */
  readonly daily: boolean;
}

/** Whose units, of which limit. */
export interface BucketName {
  readonly bucket: string;
  readonly key: string;
}

/** What is asked of one bucket: first what goes back, then what is put in, then what is to be granted. */
export interface BucketAsk extends BucketName {
  readonly measures: Measures;
  /** Units to be taken out: what they were put in for did not come about. */
  readonly back: number;
  /** Units to be put in, up to the capacity, whether there is room for all or not. */
  readonly put: number;
  /** Units: with less room than that nothing is granted. */
  readonly least: number;
  /** Units that are needed; 0: none, it is only looked at. */
  readonly need: number;
  /** Units to be granted instead, for later, while the bucket has room for several times as many. */
  readonly portion: number;
}

export interface BucketAnswer {
  /** Units that are in the bucket now, and the asker's. */
  readonly granted: number;
  /** Units that are in the bucket, with them. */
  readonly level: number;
  /** Milliseconds until midnight, of a daily one; else 0. */
  readonly resetsIn: number;
}

/** Buckets that several processes share. The time is the store's own. */
export interface BucketStore {
  /**
   * An answer to each, in their order; each bucket may be there once. Undefined while the store can be read only: then
   * each process counts for itself.
   * @throws UnavailableError
   */
  ask(asks: readonly BucketAsk[]): Promise<readonly BucketAnswer[] | undefined>;
}

const DAY = 24 * 60 * 60 * 1000;
/** So many are kept of each limit; beyond that the one that was asked for longest ago goes. */
const BUCKETS = 100_000;
/** Milliseconds: less is no wait. */
export const NO_WAIT = 0.5;
/** Of the room there is, a portion is at most that part: so the last of it goes to whoever asks. */
export const PORTION_OF_ROOM = 1 / 4;

/** Buckets in this process's memory, for those who ask it. All there is to know of one is when it will be empty. */
export interface MemoryBuckets {
  ask(asks: readonly BucketAsk[]): BucketAnswer[];
  /** Forgets all of a limit. */
  clear(bucket: string): void;
}

export function createMemoryBuckets(clock: Clock): MemoryBuckets {
  const all = new Map<string, Map<string, number>>();

  function emptyAtOf(bucket: string): Map<string, number> {
    const found = all.get(bucket) ?? new Map<string, number>();
    all.set(bucket, found);
    return found;
  }

  /** The oldest that are empty by then, and what is too many. */
  function forget(emptyAt: Map<string, number>, now: number): void {
    for (const [key, time] of emptyAt) {
      if (emptyAt.size < BUCKETS && time > now) return;
      emptyAt.delete(key);
    }
  }

  /** @param since when the bucket is empty: its level is what lies beyond */
  function levelAt(stored: number, since: number, { interval, ceiling, daily }: Measures): number {
    if (interval === 0) return 0;
    const level = Math.max(stored - since, 0) / interval;
    // A day later than this one: the time was set back.
    if (daily && level > ceiling + 1) return 0;
    return Math.min(level, ceiling);
  }

  function answer({ bucket, key, measures, ...asked }: BucketAsk): BucketAnswer {
    const { capacity, interval, daily } = measures;
    const now = daily ? clock.now() : clock.monotonic();
    const since = daily ? (Math.floor(now / DAY) + 1) * DAY : now;
    const emptyAt = emptyAtOf(bucket);
    const before = levelAt(emptyAt.get(key) ?? 0, since, measures);
    const returned = Math.max(before - asked.back, 0);
    const filled = Math.max(returned, Math.min(returned + asked.put, capacity));
    const granted = grant(asked, capacity - filled, interval);
    const level = filled + granted;
    if (level !== before) {
      emptyAt.delete(key);
      forget(emptyAt, now);
      emptyAt.set(key, since + level * interval);
    }
    return { granted, level, resetsIn: since - now };
  }

  return {
    ask: (asks) => asks.map(answer),
    clear: (bucket) => void all.delete(bucket),
  };
}

/** Units that are granted where there is that much room. */
function grant(
  { least, need, portion }: Pick<BucketAsk, 'least' | 'need' | 'portion'>,
  room: number,
  interval: number,
): number {
  if (need <= 0 || (least - room) * interval >= NO_WAIT) return 0;
  const wished = Math.max(need, Math.min(portion, room * PORTION_OF_ROOM));
  return Math.max(least, Math.min(room, wished));
}
