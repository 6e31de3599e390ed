import cluster from 'node:cluster';
import { once } from 'node:events';
import os from 'node:os';
import { setTimeout as passed } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../config/config.ts';
import type { LoadedFiles } from '../config/load.ts';
import { systemClock } from '../platform/clock.ts';
import type { Logging } from '../platform/logger.ts';
import { writePidFile } from '../platform/pid-file.ts';
import { secureRandom } from '../platform/random.ts';
import { stopSignals } from '../platform/stop-signals.ts';
import { createWorkerMetrics } from '../platform/worker-metrics.ts';
import { holdDatabase } from '../storage/hold.ts';
import { type Crew, type CrewSettings, createCrew } from './crew.ts';
import { configAgain, explain, tellFailedStart, tellStart } from './life.ts';

function settingsOf({ config, sources, secrets }: LoadedFiles): CrewSettings {
  const { workers } = config.general;
  const count = workers === 'auto' ? os.availableParallelism() : workers;
  return { sources, secrets, keySources: sources, keySecrets: secrets, count };
}

/** Looks after the workers, which serve, until it is told to stop; the exit status. */
export async function supervise(loaded: LoadedFiles, logging: Logging): Promise<number> {
  const { logger } = logging;
  const { general, db, files } = loaded.config;
  let { shutdownDelay } = general;
  cluster.setupPrimary({
    // What they say holds numbers that JSON has none for.
    serialization: 'advanced',
    // The space for short-lived objects: V8 begins with 8 MiB twice (docs/performance.md), and can be told at its start only.
    execArgv: ['--max-semi-space-size=2', ...process.execArgv],
  });
  const metrics = createWorkerMetrics();
  const crew = createCrew(settingsOf(loaded), {
    logger,
    clock: systemClock,
    random: secureRandom,
    metrics,
  });
  let isReady = false;
  let phase: string | undefined = 'the start';
  const stopping = stopSignals(logger, () => phase ?? `workers ${crew.running.join(', ')}`);

  process.on('SIGHUP', async () => {
    logging.reopen();
    logger.info('Reopened the log');
    const again = await configAgain(files, logger, 'the signing keys stay');
    crew.renew(again && { keySources: again.sources, keySecrets: again.secrets });
  });
  let reloading: Promise<void> | undefined;
  process.on('SIGUSR2', () => {
    if (!isReady || stopping.aborted || reloading !== undefined) {
      const now =
        reloading === undefined ? 'it is starting or stopping' : 'it is reloading already';
      logger.warn(`The signal to reload is not obeyed: ${now}`);
      return;
    }
    reloading = reload(loaded, crew, logging)
      .then((inForce) => {
        shutdownDelay = inForce?.general.shutdownDelay ?? shutdownDelay;
      })
      .finally(() => {
        reloading = undefined;
      });
  });

  tellStart(loaded, logger);
  const hold = () => holdDatabase(db, { clock: systemClock, pidFile: general.pidFile });
  let held: Awaited<ReturnType<typeof hold>> | undefined;
  try {
    held = await hold();
    stopping.addEventListener('abort', () => {
      if (!isReady) void crew.stop();
    });
    isReady = !stopping.aborted && (await crew.start(held.file));
    if (isReady) {
      const pidFile = writePidFile(general.pidFile, secureRandom);
      process.on('exit', () => pidFile.remove());
    }
  } catch (error) {
    tellFailedStart(error, logger, general.log.path);
    await crew.stop();
    held?.release();
    await logging.close();
    return 1;
  }
  phase = undefined;
  if (isReady) {
    logger.info({ workers: crew.running }, 'Ready');
    if (!stopping.aborted) await once(stopping, 'abort');
    logger.info('Stopping');
    if (shutdownDelay > 0) {
      crew.announceStop();
      phase = 'the delay for load balancers (shutdown.delay)';
      await passed(shutdownDelay);
      phase = undefined;
    }
  }
  await crew.stop();
  held.release();
  logger.info('Stopped');
  await logging.close();
  process.exit(0);
}

/** What of [general] only a start can put in force, and why it does. */
const RESTARTING: readonly { name: string; of: (general: Config['general']) => string }[] = [
  // A start signs anew what stands under the former name.
  { name: '[general] server.name', of: ({ serverName }) => serverName },
  // These are this process's.
  { name: '[general] pidfile.path', of: ({ pidFile }) => pidFile },
  { name: '[general] log.path', of: ({ log }) => log.path },
];

/**
 * Replaces all workers by such as have the configuration as it is by now; when it cannot be used, nothing changes.
 * @returns the configuration that is in force then; undefined where it is the one before
 */
async function reload(
  loaded: LoadedFiles,
  crew: Crew,
  { logger }: Logging,
): Promise<Config | undefined> {
  const { config } = loaded;
  const again = await configAgain(config.files, logger, 'all stays as it is');
  if (again === undefined) return undefined;
  const { general } = again.config;
  const changed = [
    ...(isDeepStrictEqual(again.config.db, config.db) ? [] : ['[db]']),
    ...RESTARTING.filter(({ of }) => of(general) !== of(config.general)).map(({ name }) => name),
    ...(general.workers === 1 ? ['[general] workers = 1'] : []),
  ];
  if (changed.length > 0) {
    logger.error({ changed }, 'This takes a restart; all stays as it is');
    return undefined;
  }
  for (const warning of again.warnings) logger.warn(warning);
  logger.info('Reloading: replacing the workers one by one');
  try {
    await crew.replace(settingsOf(again));
    logger.info({ workers: crew.running }, 'Reloaded');
    return again.config;
  } catch (error) {
    logger.error(explain(error), 'The reload has failed; the workers that are left go on');
    return undefined;
  }
}
