import type { Logger } from 'pino';
import { stopwatch } from './clock.ts';

/** Milliseconds in which a second signal is the first once more: npm passes on what the terminal has sent as well. */
const ECHO = 500;

/**
 * Listens for SIGTERM and SIGINT. The signal it returns aborts at the first of them; a second one ends the process at
 * once, with 1.
 * @param waitsFor what the second cuts short, for the log
 */
export function stopSignals(logger: Logger, waitsFor: () => string | undefined): AbortSignal {
  const stopping = new AbortController();
  let sinceFirst: (() => number) | undefined;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (sinceFirst === undefined) {
        sinceFirst = stopwatch();
        return stopping.abort();
      }
      if (sinceFirst() < ECHO) return;
      logger.warn(
        { signal, cutShort: waitsFor() ?? 'the last lines of the log' },
        'A second signal: stopping at once',
      );
      process.exit(1);
    });
  }
  return stopping.signal;
}
