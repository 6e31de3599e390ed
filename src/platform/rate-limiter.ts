import type { RateLimit } from '../config/config.ts';
import type { Clock } from './clock.ts';

/** Leaky buckets, one a key. Asynchronous, so that their state can move to where several processes see it. */
export interface RateLimiter {
  /**
   * Puts units, by default one, into the key's bucket: 0, or how many milliseconds later there would be
   * room for them. More than a bucket holds count as just that many.
   */
  take(key: string, units?: number): Promise<number>;
}

/** So many are kept; beyond that the one that was asked for longest ago goes. */
const BUCKETS = 100_000;

/**
 * A bucket holds `burst` units, and one leaves it every `1/rateHz` seconds. All there is to know of a
 * bucket is when it will be empty. One that holds 0 units, or less, never takes any.
 */
export function createRateLimiter({ burst, rateHz }: RateLimit, clock: Clock): RateLimiter {
  const emptyAt = new Map<string, number>();
  const interval = 1000 / rateHz;
  const capacity = Math.max(burst, 1);

  if (burst <= 0) return { take: async () => Math.max(1, Math.round(interval)) };

  function forgetEmpty(now: number): void {
    for (const [key, time] of emptyAt) {
      if (emptyAt.size < BUCKETS && time > now) return;
      emptyAt.delete(key);
    }
  }

  return {
    async take(key, units = 1) {
      const now = clock.now();
      const level = Math.max(emptyAt.get(key) ?? 0, now) + Math.min(units, capacity) * interval;
      const wait = Math.round(level - now - capacity * interval);
      if (wait > 0) return wait;
      emptyAt.delete(key);
      forgetEmpty(now);
      emptyAt.set(key, level);
      return 0;
    },
  };
}
