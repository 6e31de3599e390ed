import { setTimeout as passed } from 'node:timers/promises';
import type { Logger } from 'pino';
import { backoff } from '../platform/backoff.ts';
import { createMemoryBuckets } from '../platform/bucket-store.ts';
import type { Clock } from '../platform/clock.ts';
import type { MetricsSnapshot } from '../platform/metrics.ts';
import { OperatorError } from '../platform/operator-error.ts';
import type { Random } from '../platform/random.ts';
import type { WorkerMetrics } from '../platform/worker-metrics.ts';
import { createGatheredMetrics } from './gathered-metrics.ts';
import type { Start } from './messages.ts';
import { spawnWorker, type WorkerProcess } from './worker-process.ts';
import { createWriteTurns } from './write-turns.ts';

/** What workers are started with, and how many there are. */
export interface CrewSettings extends Pick<Start, 'sources' | 'keySources'> {
  readonly count: number;
}

/** The workers of a server: as many as are wanted, one of them doing what one does for all. */
export interface Crew {
  /** Starts the first, and then the others. False when it was told to stop meanwhile. @throws OperatorError */
  start(): Promise<boolean>;
  /** Puts others in the places of all, one by one, so that clients are served all the time. @throws OperatorError */
  replace(settings: CrewSettings): Promise<void>;
  /**
   * Lets all open the log anew, and read again what stands in files of its own.
   * @param keySources the configuration, for the signing keys in it; without it they stay
   */
  renew(keySources: Start['keySources'] | undefined): void;
  announceStop(): void;
  /** Tells all to stop, and resolves when they have. */
  stop(): Promise<void>;
  /** The process ids of those that run. */
  readonly running: readonly number[];
}

export interface CrewDependencies {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: WorkerMetrics;
}

/** Milliseconds to wait at most before another takes the place of one that has ended. */
const LONGEST = 60_000;
/** Milliseconds after which one has served for so long that its end has nothing to do with the ends before. */
const STEADY = 60_000;

export function createCrew(first: CrewSettings, deps: CrewDependencies): Crew {
  const { logger, clock, random, metrics } = deps;
  const workers = new Map<number, WorkerProcess>();
  /** Those that nobody takes the place of when they end. */
  const expected = new Set<WorkerProcess>();
  const turns = createWriteTurns((id) => workers.get(id)?.tell({ kind: 'turn' }));
  const gathered = createGatheredMetrics();
  const buckets = createMemoryBuckets(clock);
  let settings = first;
  let lead: WorkerProcess | undefined;
  let appointing: Promise<void> | undefined;
  let losses = 0;
  const stopping = new AbortController();
  const { signal } = stopping;
  metrics.workers(() => [...workers.values()].filter(({ isReady }) => isReady).length);

  const pause = (failures: number) =>
    passed(backoff(failures, { random, longest: LONGEST }), undefined, { signal }).catch(() => {});

  async function answerMetrics(id: number, question: number): Promise<void> {
    const asked = [...workers.values()].filter(({ isReady }) => isReady);
    const counted = await Promise.all(
      asked.map(async (one) => [one.id, await one.count()] as const),
    );
    const own = (await metrics.registry.getMetricsAsJSON()) as unknown as MetricsSnapshot;
    const snapshots = counted.filter(
      (one): one is [number, MetricsSnapshot] => one[1] !== undefined,
    );
    const text = await gathered.text(new Map([[0, own], ...snapshots]));
    workers.get(id)?.tell({ kind: 'metrics', id: question, text });
  }

  function spawn(isFirst = false): WorkerProcess {
    const { sources, keySources } = settings;
    const worker = spawnWorker({ kind: 'start', sources, keySources, isFirst }, logger, {
      turn: turns.ask,
      turnOver: turns.over,
      metrics: (id, question) => void answerMetrics(id, question),
      buckets: buckets.ask,
      keep: gathered.keep,
    });
    workers.set(worker.id, worker);
    void worker.ready.then(appoint);
    void worker.ended.then((how) => whenEnded(worker, how));
    return worker;
  }

  async function whenEnded(worker: WorkerProcess, how: string): Promise<void> {
    workers.delete(worker.id);
    turns.gone(worker.id);
    void gathered.gone(worker.id);
    if (lead === worker) {
      lead = undefined;
      void appoint();
    }
    if (signal.aborted || expected.delete(worker)) return;
    metrics.workerLost();
    losses = worker.served() >= STEADY ? 1 : losses + 1;
    logger.error({ worker: worker.pid, how }, 'A worker has ended; another one takes its place');
    if (losses > 1) await pause(losses - 1);
    if (!signal.aborted) spawn();
  }

  /** Sees to it that one does what one does for all: one that was started lately, as it has the newest settings. */
  function appoint(): Promise<void> {
    appointing ??= (async () => {
      for (let failures = 1; lead === undefined && !signal.aborted; failures++) {
        const candidates = [...workers.values()].filter((one) => one.isReady && !expected.has(one));
        const candidate = candidates.at(-1);
        if (candidate === undefined) break;
        if (await candidate.lead()) lead = workers.get(candidate.id);
        else await pause(failures);
      }
    })().finally(() => {
      appointing = undefined;
    });
    return appointing;
  }

  /** Ends one that is not wanted any more; somebody else leads before. */
  async function retire(worker: WorkerProcess): Promise<void> {
    expected.add(worker);
    if (lead === worker) {
      lead = undefined;
      await appoint();
    }
    await worker.stop('retire');
  }

  /** Starts one that is to be ready before all goes on. @throws OperatorError when it ends instead */
  async function add(isFirst = false): Promise<void> {
    const worker = spawn(isFirst);
    expected.add(worker);
    const isReady = await worker.ready;
    if (isReady) expected.delete(worker);
    else if (!signal.aborted)
      throw new OperatorError('A new worker could not start; see the log before');
  }

  return {
    async start() {
      await add(true);
      await appoint();
      while (workers.size < settings.count && !signal.aborted) await add();
      return !signal.aborted;
    },
    async replace(next) {
      const former = settings;
      const old = [...workers.values()];
      settings = next;
      for (let place = 0; place < Math.max(old.length, next.count); place++) {
        if (signal.aborted) return;
        try {
          if (place < next.count) await add();
        } catch (error) {
          if (place === 0) settings = former;
          throw error;
        }
        const [leaving] = old.slice(place, place + 1);
        if (leaving !== undefined) await retire(leaving);
      }
    },
    renew(keySources) {
      if (keySources !== undefined) settings = { ...settings, keySources };
      for (const worker of workers.values()) worker.tell({ kind: 'renew', keySources });
    },
    announceStop() {
      for (const worker of workers.values()) worker.tell({ kind: 'announce-stop' });
    },
    async stop() {
      stopping.abort();
      await Promise.all([...workers.values()].map((worker) => worker.stop()));
    },
    get running() {
      return [...workers.values()].map(({ pid }) => pid);
    },
  };
}
