import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Logger } from 'pino';
import { backoff } from '../platform/backoff.ts';
import { stopwatch } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { DatabaseConfig } from '../storage/database-config.ts';
import type { Storage } from '../storage/stores/index.ts';
import type { FromThread, ToThread } from './rehash-thread.ts';

/** The thread that works on the hashes by rotated peppers. */
export interface Rehashing {
  /** Starts it, unless it runs, or has failed just now. */
  start(): void;
  stop(): Promise<void>;
}

/** Milliseconds between two tries, at most. */
const LONGEST_REST = 60_000;

// Compiled it has another name than here.
const THREAD = new URL(
  import.meta.url.endsWith('.ts') ? './rehash-thread.ts' : './rehash-thread.js',
  import.meta.url,
);

export function createRehashing(
  db: DatabaseConfig,
  { storage, random, logger }: { storage: Storage; random: Random; logger: Logger },
): Rehashing {
  let thread: Worker | undefined;
  let failures = 0;
  let rest = { elapsed: stopwatch(), time: 0 };

  /** Gives it its turns to write; the function gives back one that it has. */
  function giveTurns(to: Worker): () => void {
    let leave: (() => void) | undefined;
    let isGone = false;
    const giveBack = () => {
      leave?.();
      leave = undefined;
    };
    const give = async () => {
      leave = await storage.writeTurn?.enter();
      if (isGone) giveBack();
      else to.postMessage('turn' satisfies ToThread);
    };
    to.on('message', (message: FromThread) => {
      if (message === 'leave') giveBack();
      // Without a turn it would wait for ever.
      if (message === 'enter') give().catch(() => to.terminate());
    });
    return () => {
      isGone = true;
      giveBack();
    };
  }

  return {
    start() {
      if (thread !== undefined || rest.elapsed() < rest.time) return;
      const started = new Worker(THREAD, { workerData: db });
      thread = started;
      const endTurns = giveTurns(started);
      started.on('message', (message: FromThread) => {
        if (typeof message === 'object') logger.info(message.line);
      });
      started.on('error', (error) => {
        logger.warn({ err: error }, 'Hashing with the new pepper failed; it is tried again');
      });
      started.on('exit', (code) => {
        endTurns();
        thread = undefined;
        failures = code === 0 ? 0 : failures + 1;
        const time = failures === 0 ? 0 : backoff(failures, { random, longest: LONGEST_REST });
        rest = { elapsed: stopwatch(), time };
      });
    },
    async stop() {
      if (thread === undefined) return;
      const ended = once(thread, 'exit');
      thread.postMessage('stop' satisfies ToThread);
      await ended;
    },
  };
}
