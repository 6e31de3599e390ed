import { setTimeout as passed } from 'node:timers/promises';
import type { Logger } from 'pino';
import { type LoadedConfig, readConfigWithKey } from '../config/load.ts';
import { surroundings } from '../config/surroundings.ts';
import type { Logging } from '../platform/logger.ts';
import { OperatorError } from '../platform/operator-error.ts';
import { VERSION } from '../platform/version.ts';

/** The configuration as it is by now; undefined, with a line in the log, where it cannot be used. */
export async function configAgain(files: readonly string[], logger: Logger, otherwise: string) {
  try {
    return await readConfigWithKey(files, surroundings());
  } catch (error) {
    logger.error(explain(error), `The configuration cannot be read again; ${otherwise}`);
    return undefined;
  }
}

/** Says that the start begins, and what is odd about the configuration: once signals are caught, as whoever reads it may send one. */
export function tellStart({ config, warnings }: LoadedConfig, logger: Logger): void {
  logger.info({ version: VERSION, config: config.files.join(', ') }, 'Starting');
  for (const warning of warnings) logger.warn(warning);
}

/** Whether the start failed because the signal broke it off. */
export function isStop(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  return error === signal.reason || (error instanceof Error && isStop(error.cause, signal));
}

/** What the operator can mend is explained by its message; of anything else the stack is worth having. */
export const explain = (error: unknown): object =>
  error instanceof OperatorError ? { reason: error.message } : { err: error };

/** Says why the server could not start, on the terminal too where the log goes to a file. */
export function tellFailedStart(error: unknown, logger: Logger, logPath: string): void {
  logger.fatal(explain(error), 'The server could not start');
  const message = error instanceof Error ? error.message : String(error);
  if (logPath !== '') process.stderr.write(`${message}\n`);
}

/** Milliseconds that the report of an error nobody has handled gets, where errors are reported. */
const REPORTING = 1000;

/** Ends the process, with a line in the log, after an error that nobody has handled. */
export function dieOfTheUnexpected({ logger, reported }: Logging): void {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      logger.fatal({ err: error }, 'Stopping after an error nobody expected');
      void Promise.race([reported(), passed(REPORTING)]).finally(() => process.exit(1));
    });
  }
}
