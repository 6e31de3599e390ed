/** Where the time comes from. Everything that asks for the time is given one of these. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** Begins to measure; what it returns tells how many milliseconds have passed, however the system's time is set. */
export function stopwatch(): () => number {
  const begin = performance.now();
  return () => performance.now() - begin;
}
