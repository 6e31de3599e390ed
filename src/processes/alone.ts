import { once } from 'node:events';
import { setTimeout as passed } from 'node:timers/promises';
import { type App, startApp } from '../app/app.ts';
import type { LoadedFiles } from '../config/load.ts';
import type { Logging } from '../platform/logger.ts';
import { writePidFile } from '../platform/pid-file.ts';
import { secureRandom } from '../platform/random.ts';
import { stopSignals } from '../platform/stop-signals.ts';
import { configAgain, isStop, tellFailedStart, tellStart } from './life.ts';

/** Serves in this process alone until it is told to stop; the exit status. */
export async function serveAlone(loaded: LoadedFiles, logging: Logging): Promise<number> {
  const { config, values } = loaded;
  const { logger } = logging;
  let app: App | undefined;
  let phase: string | undefined = 'the start';
  let isOutdated = false;
  const reload = async (running: App) => {
    const again = await configAgain(config.files, logger, 'the signing keys stay');
    await running.reload(again?.config.crypto);
  };
  process.on('SIGHUP', async () => {
    logging.reopen();
    logger.info('Reopened the log');
    // What the start has read by then is read again once it is done.
    if (app === undefined) isOutdated = true;
    else await reload(app);
  });
  process.on('SIGUSR2', () =>
    logger.warn('There is nothing to reload: that takes [general] workers = 2 or more'),
  );
  // Caught from here on: a stop during the start breaks off what takes long, the rest is stopped in order.
  const stopping = stopSignals(logger, () => phase ?? app?.waitsFor);
  tellStart(loaded, logger);
  try {
    const { terminal, reportTo } = logging;
    app = await startApp(config, { logger, signal: stopping, terminal, reportTo, values });
    if (isOutdated) await reload(app);
    // Not before: a start that fails because the server runs already would take its pid file away.
    const pidFile = writePidFile(config.general.pidFile, secureRandom);
    process.on('exit', () => pidFile.remove());
  } catch (error) {
    if (isStop(error, stopping)) {
      logger.info('Stopped before the start was done; the next start goes on with it');
      await logging.close();
      return 0;
    }
    tellFailedStart(error, logger, config.general.log.path);
    await app?.close();
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
