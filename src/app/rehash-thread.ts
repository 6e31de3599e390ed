import { parentPort, workerData } from 'node:worker_threads';
import pino from 'pino';
import { deleteGone, rehash } from '../identity/peppers/rehash.ts';
import { systemClock } from '../platform/clock.ts';
import { createLeases } from '../platform/leases.ts';
import { createProgress } from '../platform/progress.ts';
import { secureRandom } from '../platform/random.ts';
import type { DatabaseConfig } from '../storage/database-config.ts';
import { openForCommand } from '../storage/for-command.ts';
import type { WriteTurn } from '../storage/others.ts';

/** What the thread says: a line for the log, and when it wants to write, and has written. */
export type FromThread = { readonly line: string } | 'enter' | 'leave';
/** What it is told: it is its turn to write; it is to stop. */
export type ToThread = 'turn' | 'stop';

if (parentPort === null) throw new Error('This is a thread of the server');
const server = parentPort;
const say = (message: FromThread) => server.postMessage(message);
const stopping = new AbortController();
let turn: (() => void) | undefined;
server.on('message', (message: ToThread) => {
  if (message === 'turn') turn?.();
  else stopping.abort();
});
// To listen is no reason to live on when all is done.
server.unref();

/** Behind those of the server that write, and before those who come later. */
const writeTurn: WriteTurn = {
  async enter() {
    server.ref();
    await new Promise<void>((resolve) => {
      turn = resolve;
      say('enter');
    });
    server.unref();
    return () => say('leave');
  },
};

// Says nothing itself, not even what progress says at any level.
const logger = pino({ level: 'silent' }, { write: () => {} });
const storage = await openForCommand(workerData as DatabaseConfig, logger, writeTurn);
try {
  const progress = createProgress({
    logger,
    clock: systemClock,
    signal: stopping.signal,
    terminal: (line) => say({ line }),
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
