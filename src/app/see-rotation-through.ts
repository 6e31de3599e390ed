import { setTimeout as wait } from 'node:timers/promises';
import type { Config } from '../config/config.ts';
import { rehash } from '../identity/peppers/rehash.ts';
import { completeRotation } from '../identity/peppers/rotation.ts';
import { isClaimed, workOn } from '../identity/peppers/rotation-work.ts';
import type { OperationContext } from '../operations/operation.ts';
import { stopwatch, systemClock } from '../platform/clock.ts';
import { createLeases } from '../platform/leases.ts';

/** Milliseconds in which a running server takes up the work. */
const TAKEN_UP = 6000;
const LOOKS = 250;

/** For a command: waits until the pepper of that number is in force, and does the work itself where no server does. */
export async function seeRotationThrough(
  number: number,
  {
    config,
    storage,
    random,
    progress,
  }: Pick<OperationContext, 'storage' | 'random' | 'progress'> & { readonly config: Config },
): Promise<void> {
  const { stores } = storage;
  const task = await progress.begin('Rotating the pepper (per cent)', 100);
  const leases = createLeases({ clock: systemClock, random });
  let unclaimed = stopwatch();
  while ((await stores.peppers.read()).current.number < number) {
    const work = await workOn(stores.state, number);
    if (isClaimed(work, leases.lease(0))) unclaimed = stopwatch();
    task.reached(work?.percent ?? 0, 100);
    if (unclaimed() > TAKEN_UP) {
      await rehash({ storage, leases, progress });
      await completeRotation(storage, systemClock, config.lookupPepper.grace);
      unclaimed = stopwatch();
    } else {
      await wait(LOOKS);
    }
  }
  task.end();
}
