import type { Clock } from '../../platform/clock.ts';

/** Who did something within the last hour. */
export interface LastHour {
  has(who: string): boolean;
  add(who: string): void;
}

const HOUR = 60 * 60 * 1000;
/** Beyond that the one that did it longest ago is forgotten, and passes for one that did not. */
const REMEMBERED = 100_000;

export function createLastHour(clock: Clock): LastHour {
  /** In the order of their times. */
  const times = new Map<string, number>();
  return {
    has: (who) => (times.get(who) ?? -Infinity) > clock.monotonic() - HOUR,
    add(who) {
      const now = clock.monotonic();
      times.delete(who);
      for (const [other, time] of times) {
        if (times.size < REMEMBERED && time > now - HOUR) break;
        times.delete(other);
      }
      times.set(who, now);
    },
  };
}
