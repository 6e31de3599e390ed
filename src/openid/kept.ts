import type { Clock } from '../platform/clock.ts';
import { createSingleFlight } from '../platform/single-flight.ts';
import { UnavailableError } from '../platform/unavailable.ts';

/** How long what a provider says of itself is used. Milliseconds. */
export interface Keeping {
  /** Then it is asked for anew. */
  readonly fresh: number;
  /** So long it is used where it cannot be had anew. */
  readonly stale: number;
  /** It is asked for no sooner than that after the last time, whatever came of it. */
  readonly pause: number;
}

interface Known<T> {
  readonly value: T;
  /** By the clock that does not step. */
  readonly since: number;
}

/**
 * Something that a provider says of itself: fetched when it is needed, kept for a while, once at a time.
 * @param ask rejects where it cannot be had
 * @returns how to get it: where what is known is not enough it is asked for anew. Throws UnavailableError
 */
export function kept<T>(
  clock: Clock,
  { fresh, stale, pause }: Keeping,
  ask: () => Promise<T>,
): (isEnough?: (value: T) => boolean) => Promise<T> {
  const flight = createSingleFlight<void>();
  let known: Known<T> | undefined;
  let asked = -Infinity;
  let failure: unknown;

  async function renew(): Promise<void> {
    try {
      const value = await ask();
      known = { value, since: clock.monotonic() };
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    asked = clock.monotonic();
  }

  return async (isEnough = () => true) => {
    const now = clock.monotonic();
    const isFresh = known !== undefined && now < known.since + fresh && isEnough(known.value);
    if (!isFresh && now >= asked + pause) await flight('', renew);
    if (known !== undefined && clock.monotonic() < known.since + stale) return known.value;
    throw new UnavailableError('The OpenID provider cannot be asked', { cause: failure });
  };
}
