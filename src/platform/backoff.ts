import type { Random } from './random.ts';

const FIRST = 1000;

/** Milliseconds to wait after so many failures in a row: 1 s, 2 s, 4 s … the longest, each give or take a quarter. */
export function backoff(
  failures: number,
  { random, longest }: { readonly random: Random; readonly longest: number },
): number {
  const wait = Math.min(FIRST * 2 ** Math.min(failures - 1, 30), longest);
  return Math.round(Math.min(wait * (0.75 + random.fraction() / 2), longest));
}
