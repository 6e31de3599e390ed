/** Milliseconds that this thread has been at work. */
function worked(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

async function least(work: () => unknown, now: () => number): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < 3; turn++) {
    const begin = now();
    await work();
    best = Math.min(best, now() - begin);
  }
  return best;
}

/**
 * The time in milliseconds that `work` takes: of three tries the quickest, as a busy machine makes anything slow once.
 * A bound on it should leave room for a machine of a fifth of the speed.
 */
export const quickest = (work: () => unknown) => least(work, () => performance.now());

/** The same for what only computes in this thread: a busy machine does not make that slower. */
export const quickestWork = (work: () => unknown) => least(work, worked);
