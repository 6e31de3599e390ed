import { setTimeout as wait } from 'node:timers/promises';

/** Waits for the work, but no longer than so many milliseconds; it goes on then, and what it fails with is lost. */
export async function waitAtMost(milliseconds: number, work: Promise<void>): Promise<void> {
  work.catch(() => {});
  await Promise.race([work, wait(milliseconds, undefined, { ref: false })]);
}
