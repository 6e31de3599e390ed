import type { Clock } from './clock.ts';

/** A leaky bucket's measures. */
export interface RateLimit {
  /** 0 or less: nothing gets through. */
  readonly burst: number;
  /** Infinity: everything does. */
  readonly rateHz: number;
}

/**
 * Leaky buckets, one a key. One holds `burst` units, and a unit leaves it every `1/rateHz` seconds. All
 * there is to know of a bucket is when it will be empty, so its measures are said with each question.
 */
export interface Buckets {
  /**
   * 0, or how many milliseconds later there would be room for so many units, but no more than a full bucket takes to
   * drain. More than a bucket holds count as just that many.
   */
  wait(key: string, units: number, limit: RateLimit): number;
  /** Puts units in, whether there is room or not. */
  take(key: string, units: number, limit: RateLimit): void;
  /** Takes units out again that were put in for what did not come about. */
  giveBack(key: string, units: number, limit: RateLimit): void;
  /** Empties all. */
  clear(): void;
}

/** So many are kept; beyond that the one that was asked for longest ago goes. */
const BUCKETS = 100_000;

const intervalOf = ({ rateHz }: RateLimit) => 1000 / rateHz;
const capacityOf = ({ burst }: RateLimit) => Math.max(burst, 1);

export function createBuckets(clock: Clock): Buckets {
  const emptyAt = new Map<string, number>();

  function forgetEmpty(now: number): void {
    for (const [key, time] of emptyAt) {
      if (emptyAt.size < BUCKETS && time > now) return;
      emptyAt.delete(key);
    }
  }

  const levelWith = (key: string, units: number, limit: RateLimit, now: number) =>
    Math.max(emptyAt.get(key) ?? 0, now) + Math.min(units, capacityOf(limit)) * intervalOf(limit);

  return {
    wait(key, units, limit) {
      if (limit.burst <= 0) return Math.max(1, Math.round(intervalOf(limit)));
      const now = clock.monotonic();
      const room = now + capacityOf(limit) * intervalOf(limit);
      const wait = levelWith(key, units, limit, now) - room;
      return Math.max(0, Math.round(Math.min(wait, capacityOf(limit) * intervalOf(limit))));
    },
    take(key, units, limit) {
      const now = clock.monotonic();
      const level = levelWith(key, units, limit, now);
      emptyAt.delete(key);
      forgetEmpty(now);
      emptyAt.set(key, level);
    },
    giveBack(key, units, limit) {
      const time = emptyAt.get(key);
      if (time === undefined) return;
      emptyAt.set(key, time - Math.min(units, capacityOf(limit)) * intervalOf(limit));
    },
    clear: () => emptyAt.clear(),
  };
}
