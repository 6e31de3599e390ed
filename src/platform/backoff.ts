import type { Random } from './random.ts';

const FIRST = 1000;
const LONGEST = 60 * 60 * 1000;

/** Milliseconds to wait after so many failures in a row: 1 s, 2 s, 4 s … an hour, each give or take a quarter. */
export function backoff(failures: number, random: Random): number {
  const wait = Math.min(FIRST * 2 ** Math.min(failures - 1, 30), LONGEST);
  return Math.round(Math.min(wait * (0.75 + random.fraction() / 2), LONGEST));
}
