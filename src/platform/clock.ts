/** Where the time comes from. Everything that asks for the time is given one of these. */
export interface Clock {
  /** Milliseconds since the Unix epoch, as the system's time is set now: it can step back. */
  now(): number;
  /** Milliseconds that have passed since some moment: for spans of time in this process, however the time is set. */
  monotonic(): number;
  /**
   * The latest time that `now` has told, where that is less than a day ahead: for what is valid from a time on that this
   * server has set, and not to vanish when the time steps back.
   */
  latest(): number;
}

/** Further ahead the time was plainly wrong. */
const STEP_BACK = 24 * 60 * 60 * 1000;

/** A clock by these two sources. */
export function createClock(wall: () => number, monotonic: () => number): Clock {
  let latest = -Infinity;
  const now = () => {
    const time = wall();
    if (time > latest || time <= latest - STEP_BACK) latest = time;
    return time;
  };
  return {
    now,
    monotonic,
    latest() {
      now();
      return latest;
    },
  };
}

export const systemClock: Clock = createClock(Date.now, () => performance.now());

/** Begins to measure; what it returns tells how many milliseconds have passed, however the system's time is set. */
export function stopwatch(): () => number {
  const begin = performance.now();
  return () => performance.now() - begin;
}
