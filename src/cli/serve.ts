import cluster from 'node:cluster';
import { setFlagsFromString } from 'node:v8';
import { loadConfig } from '../config/load.ts';
import { surroundings } from '../config/surroundings.ts';
import { systemClock } from '../platform/clock.ts';
import { createLogger } from '../platform/logger.ts';
import { secureRandom } from '../platform/random.ts';
import { serveAlone } from '../processes/alone.ts';
import { dieOfTheUnexpected } from '../processes/life.ts';
import { supervise } from '../processes/supervisor.ts';
import { serveAsWorker } from '../processes/worker.ts';
import type { Command, CommandLine } from './command.ts';
import { orReportFailure } from './report-failure.ts';

const HELP = `Runs the server until it is told to stop. It says on standard error what it does; a first start writes the configuration.

Usage: cognomen serve

Signals:
  SIGTERM, SIGINT  Stops; requests under way are finished first. Again: at once
  SIGHUP           Reads the signing keys and the terms anew, and opens the log anew
  SIGUSR2          With several workers: as cognomen reload

Exit status: 0 stopped, 1 could not start, 2 not understood
`;

/** Runs the server until it is told to stop. */
export const serve: Command = {
  name: 'serve',
  summary: 'Run the server (the default)',
  help: HELP,
  run: serveUntilStopped,
};

async function serveUntilStopped({ config: files }: CommandLine): Promise<number> {
  // The space for short-lived objects stays small: a third less memory under load, for a tenth more time on the
  // smallest requests and a quarter on the largest lookups (docs/performance.md).
  setFlagsFromString('--semi-space-growth-factor=1');
  // By itself V8 lets a small heap grow to four times what is in use before it looks for garbage; now to twice that.
  setFlagsFromString('--heap-growing-percent=100');
  if (cluster.isWorker) return serveAsWorker();
  const loaded = await orReportFailure(() =>
    loadConfig({ files, ...surroundings(), random: secureRandom }),
  );
  if (loaded === undefined) return 1;
  const { general } = loaded.config;
  const isShared = general.workers !== 1;
  const logging = await orReportFailure(() =>
    createLogger(general.log, { clock: systemClock, isShared }),
  );
  if (logging === undefined) return 1;
  dieOfTheUnexpected(logging);
  return general.workers === 1 ? serveAlone(loaded, logging) : supervise(loaded, logging);
}
