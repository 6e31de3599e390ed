import pino from 'pino';
import { systemClock } from '../platform/clock.ts';
import { createProgress, type Progress } from '../platform/progress.ts';
import { stopSignals } from '../platform/stop-signals.ts';

/** Tells on standard error how far long work is; SIGTERM and SIGINT break it off. */
export function terminalProgress(): Progress {
  const logger = pino({ level: 'silent' }, { write: () => {} });
  const signal = stopSignals(logger, () => undefined);
  const terminal = (line: string) => void process.stderr.write(`${line}\n`);
  return createProgress({ logger, clock: systemClock, signal, terminal });
}
