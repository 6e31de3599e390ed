/** Work that is done again and again. */
export interface Repetition {
  /** Resolves when a run under way is done; none starts after. */
  stop(): Promise<void>;
}

/** Runs the work now and then `interval` ms after the end of each run. The work must not reject. */
export function repeat(interval: number, work: () => Promise<void>): Repetition {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let running = Promise.resolve();
  const run = () => {
    running = work().then(() => {
      if (stopped) return;
      timer = setTimeout(run, interval);
      timer.unref();
    });
  };
  run();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
      return running;
    },
  };
}
