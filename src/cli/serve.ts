import { once } from 'node:events';
import { setTimeout as passed } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import type { Logger } from 'pino';
import { type App, startApp } from '../app/app.ts';
import { loadConfig, readConfigWithKey } from '../config/load.ts';
import type { CryptoConfig } from '../config/sections/crypto.ts';
import { systemClock } from '../platform/clock.ts';
import { hostNames } from '../platform/hostname.ts';
import { createLogger } from '../platform/logger.ts';
import { OperatorError } from '../platform/operator-error.ts';
import { writePidFile } from '../platform/pid-file.ts';
import { secureRandom } from '../platform/random.ts';
import { VERSION } from '../platform/version.ts';
import type { Command, CommandLine } from './command.ts';
import { orReportFailure } from './report-failure.ts';
import { stopSignals } from './stop-signals.ts';

/** Runs the server until it is told to stop. */
export const serve: Command = {
  name: 'serve',
  summary: 'Run the server (the default)',
  run: serveUntilStopped,
};

async function serveUntilStopped({ config: file }: CommandLine): Promise<number> {
  // The space for short-lived objects stays small: a third less memory under load, for a tenth more time on the
  // smallest requests and a quarter on the largest lookups (docs/performance.md).
  setFlagsFromString('--semi-space-growth-factor=1');
  const loaded = await orReportFailure(() =>
    loadConfig({ file, env: process.env, ...hostNames(), random: secureRandom }),
  );
  if (loaded === undefined) return 1;
  const { config, warnings } = loaded;

  const logging = await orReportFailure(() =>
    createLogger(config.general.log, { clock: systemClock }),
  );
  if (logging === undefined) return 1;
  const { logger } = logging;
  dieOf('uncaughtException', logger);
  dieOf('unhandledRejection', logger);
  let app: App | undefined;
  let phase: string | undefined = 'the start';
  let isOutdated = false;
  process.on('SIGHUP', async () => {
    logging.reopen();
    logger.info('Reopened the log');
    // What the start has read by then is read again once it is done.
    if (app === undefined) isOutdated = true;
    else await app.reload(await keysAgain(file, logger));
  });
  // Caught from here on: a stop during the start breaks off what takes long, the rest is stopped in order.
  const stopping = stopSignals(logger, () => phase ?? app?.waitsFor);

  logger.info({ version: VERSION, config: config.file }, 'Starting');
  for (const warning of warnings) logger.warn(warning);
  try {
    app = await startApp(config, { logger, signal: stopping, terminal: logging.terminal });
    if (isOutdated) await app.reload(await keysAgain(file, logger));
    // Not before: a start that fails because the server runs already would take its pid file away.
    const pidFile = writePidFile(config.general.pidFile, secureRandom);
    process.on('exit', () => pidFile.remove());
  } catch (error) {
    if (isStop(error, stopping)) {
      logger.info('Stopped before the start was done; the next start goes on with it');
      await logging.close();
      return 0;
    }
    logger.fatal(explain(error), 'The server could not start');
    await app?.close();
    if (config.general.log.path !== '') process.stderr.write(`${messageOf(error)}\n`);
    await logging.close();
    return 1;
  }
  logger.info('Ready');

  if (!stopping.aborted) await once(stopping, 'abort');
  logger.info('Stopping');
  const { shutdownDelay } = config.general;
  if (shutdownDelay > 0) {
    app.announceStop();
    phase = 'the delay for load balancers (shutdown.delay)';
    await passed(shutdownDelay);
  }
  phase = undefined;
  await app.close();
  logger.info('Stopped');
  await logging.close();
  // What was cut off or left behind would keep the process alive, such as a mail that the relay does not take.
  process.exit(0);
}

/** The signing keys as the file has them by now; undefined where it cannot be used. */
async function keysAgain(file: string, logger: Logger): Promise<CryptoConfig | undefined> {
  const environment = { env: process.env, ...hostNames() };
  try {
    return (await readConfigWithKey(file, environment)).config.crypto;
  } catch (error) {
    logger.error(explain(error), 'The configuration cannot be read again; the signing keys stay');
    return undefined;
  }
}

/** Whether the start failed because the signal broke it off. */
function isStop(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  return error === signal.reason || (error instanceof Error && isStop(error.cause, signal));
}

/** What the operator can mend is explained by its message; of anything else the stack is worth having. */
const explain = (error: unknown): object =>
  error instanceof OperatorError ? { reason: error.message } : { err: error };

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

function dieOf(event: 'uncaughtException' | 'unhandledRejection', logger: Logger): void {
  process.on(event, (error: unknown) => {
    logger.fatal({ err: error }, 'Stopping after an error nobody expected');
    process.exit(1);
  });
}
