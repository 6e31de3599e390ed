import type { Logger } from 'pino';

/**
 * Listens for SIGTERM and SIGINT. The signal it returns aborts at the first of them; the second ends the process at
 * once, with 1.
 * @param waitsFor what the second cuts short, for the log
 */
export function stopSignals(logger: Logger, waitsFor: () => string | undefined): AbortSignal {
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (!stopping.signal.aborted) return stopping.abort();
      logger.warn(
        { signal, cutShort: waitsFor() ?? 'the last lines of the log' },
        'A second signal: stopping at once',
      );
      process.exit(1);
    });
  }
  return stopping.signal;
}
