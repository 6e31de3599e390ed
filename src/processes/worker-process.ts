import cluster from 'node:cluster';
import { once } from 'node:events';
import { setTimeout as passed } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { BucketAnswer, BucketAsk } from '../platform/bucket-store.ts';
import { stopwatch } from '../platform/clock.ts';
import type { MetricsSnapshot } from '../platform/metrics.ts';
import { VERSION } from '../platform/version.ts';
import { handedConnections } from './handed-connections.ts';
import type { Order, Report, Start } from './messages.ts';

/** A worker, as the supervisor knows it. */
export interface WorkerProcess {
  readonly id: number;
  readonly pid: number;
  /** Whether it serves clients. */
  readonly isReady: boolean;
  /** Resolves when it serves clients; with false, when it has ended before. */
  readonly ready: Promise<boolean>;
  /** Resolves when it has ended, with how. */
  readonly ended: Promise<string>;
  /** Milliseconds that it has served clients. */
  served(): number;
  tell(order: Order): void;
  /** Lets it do what one worker does for all; false when it cannot, or has ended before it could. */
  lead(): Promise<boolean>;
  /** Its metrics; undefined when it does not say in time. */
  count(): Promise<MetricsSnapshot | undefined>;
  /** Tells it to stop, or to leave its place to another, and kills it when it takes too long. */
  stop(how?: 'stop' | 'retire'): Promise<void>;
}

/** What a worker may want of the supervisor. */
export interface Wants {
  turn(id: number): void;
  turnOver(id: number): void;
  metrics(id: number, question: number): void;
  buckets(asks: readonly BucketAsk[]): readonly BucketAnswer[];
  /** Keeps what it has counted in all. */
  keep(id: number, counted: MetricsSnapshot): void;
}

/** Milliseconds: between looks at whether it is alive, for its metrics, for its stop (more than that takes at most), for what it said before its end. */
const TIMES = { ping: 5000, count: 2000, stop: 30_000, lastWords: 500 };
/** So many looks in a row without an answer, and it is killed: its event loop stands still. */
const SILENT = 6;

/**
 * Starts a worker process.
 * @param start what it is to start with, asked for when it is there
 */
export function spawnWorker(start: () => Start, logger: Logger, wants: Wants): WorkerProcess {
  const worker = cluster.fork();
  const closeHanded = handedConnections(worker);
  const { id } = worker;
  const pid = worker.process.pid ?? 0;
  const ready = Promise.withResolvers<boolean>();
  const ended = Promise.withResolvers<string>();
  let leads = Promise.withResolvers<boolean>();
  const counted = new Map<number, (snapshot: MetricsSnapshot | undefined) => void>();
  let isReady = false;
  let mayBeSilent = false;
  let hasEnded = false;
  let served = () => 0;
  let questions = 0;
  let unanswered = 0;
  // It may be gone: its end is told in any case.
  const tell = (order: Order) => void (worker.isConnected() && worker.send(order, () => {}));

  const watch = setInterval(() => {
    if (mayBeSilent) return;
    if (unanswered >= SILENT) {
      logger.error({ worker: pid }, 'A worker does not answer any more; killing it');
      worker.process.kill('SIGKILL');
    }
    unanswered += 1;
    tell({ kind: 'ping' });
  }, TIMES.ping).unref();

  function begin(version: string): void {
    if (version === VERSION) {
      const order = start();
      // Bringing a SQLite file up to date holds up its event loop.
      mayBeSilent = order.isFirst;
      tell(order);
      return;
    }
    logger.error(
      { worker: pid, version, running: VERSION },
      'What is installed is another version than what runs: restart the server',
    );
    worker.process.kill('SIGKILL');
  }

  function becomeReady(): void {
    isReady = true;
    mayBeSilent = false;
    served = stopwatch();
    ready.resolve(true);
  }

  /** @param how it has ended */
  function end(how: string): void {
    if (hasEnded) return;
    hasEnded = true;
    isReady = false;
    clearInterval(watch);
    closeHanded();
    for (const answer of counted.values()) answer(undefined);
    ready.resolve(false);
    leads.resolve(false);
    ended.resolve(how);
  }

  worker.on('message', (report: Report) => {
    if (hasEnded) return;
    unanswered = 0;
    switch (report.kind) {
      case 'waiting':
        return begin(report.version);
      case 'ready':
        return becomeReady();
      case 'leads':
        return leads.resolve(true);
      case 'cannot-lead':
        return leads.resolve(false);
      case 'has-left':
        return tell({ kind: 'left', id: report.id });
      case 'counted':
        return counted.get(report.id)?.(report.snapshot);
      case 'counted-last':
        return wants.keep(id, report.snapshot);
      case 'wants-turn':
        return wants.turn(id);
      case 'turn-over':
        return wants.turnOver(id);
      case 'asks-buckets':
        return tell({ kind: 'buckets', id: report.id, answers: wants.buckets(report.asks) });
      case 'wants-metrics':
        return wants.metrics(id, report.id);
    }
  });
  worker.on('error', (error) => {
    // It was never there, so it will not exit.
    if (worker.process.pid === undefined) end(`before it was there: ${error.message}`);
  });
  worker.on('exit', async (code, signal) => {
    clearInterval(watch);
    isReady = false;
    closeHanded();
    // What it has said before may arrive after that.
    const heard = worker.isConnected() ? once(worker, 'disconnect') : undefined;
    await Promise.race([heard, passed(TIMES.lastWords)]);
    end(signal ? `by ${signal}` : `with status ${code}`);
  });

  return {
    id,
    pid,
    get isReady() {
      return isReady;
    },
    ready: ready.promise,
    ended: ended.promise,
    served: () => served(),
    tell,
    lead() {
      leads = Promise.withResolvers();
      if (hasEnded) leads.resolve(false);
      tell({ kind: 'lead' });
      return leads.promise;
    },
    async count() {
      if (hasEnded) return undefined;
      questions += 1;
      const question = questions;
      const { promise, resolve } = Promise.withResolvers<MetricsSnapshot | undefined>();
      counted.set(question, resolve);
      const timer = setTimeout(() => resolve(undefined), TIMES.count);
      tell({ kind: 'count', id: question });
      const snapshot = await promise;
      clearTimeout(timer);
      counted.delete(question);
      return snapshot;
    },
    async stop(how = 'stop') {
      tell({ kind: how });
      const ending = new AbortController();
      const late = passed(TIMES.stop, true, { signal: ending.signal }).catch(() => false);
      if (await Promise.race([ended.promise.then(() => false), late])) {
        logger.warn({ worker: pid }, 'A worker takes too long to stop; killing it');
        worker.process.kill('SIGKILL');
        await ended.promise;
      }
      ending.abort();
    },
  };
}
