import { parentPort, workerData } from 'node:worker_threads';
import pino from 'pino';
import { deleteGone, rehash } from '../identity/peppers/rehash.ts';
import { systemClock } from '../platform/clock.ts';
import { createLeases } from '../platform/leases.ts';
import { createProgress } from '../platform/progress.ts';
import { secureRandom } from '../platform/random.ts';
import type { DatabaseConfig } from '../storage/database-config.ts';
import { openForCommand } from '../storage/for-command.ts';

/** What the thread says: a line for the log. It is told to stop by any message. */
export type FromRehashing = { readonly line: string };

const stopping = new AbortController();
parentPort?.once('message', () => stopping.abort());
// To listen is no reason to live on when all is done.
parentPort?.unref();

const logger = pino({ level: 'silent' });
const storage = await openForCommand(workerData as DatabaseConfig, logger);
try {
  const progress = createProgress({
    logger,
    clock: systemClock,
    signal: stopping.signal,
    terminal: (line) => parentPort?.postMessage({ line } satisfies FromRehashing),
  });
  const leases = createLeases({ clock: systemClock, random: secureRandom });
  const deps = { storage, leases, progress };
  await rehash(deps);
  await deleteGone(deps);
} catch (error) {
  if (!stopping.signal.aborted) throw error;
} finally {
  await storage.close();
}
