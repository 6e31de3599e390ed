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
export interface CrewSettings extends Omit<Start, 'kind' | 'isFirst' | 'heldFile'> {
  readonly count: number;
}

/** The workers of a server: as many as are wanted, one of them doing what one does for all. */
export interface Crew {
  /**
   * Starts the first, and then the others. False when it was told to stop meanwhile.
   * @param heldFile the SQLite file that is held for them
   * @throws OperatorError
   */
  start(heldFile: Start['heldFile']): Promise<boolean>;
  /** Puts others in the places of all, one by one, so that clients are served all the time. @throws OperatorError */
  replace(settings: CrewSettings): Promise<void>;
  /**
   * Lets all open the log anew, and read again what stands in files of its own.
   * @param keys the configuration, for the signing keys in it; without it they stay
   */
  renew(keys: Pick<Start, 'keySources' | 'keySecrets'> | undefined): void;
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
  let heldFile: Start['heldFile'];
  let lead: WorkerProcess | undefined;
  let appointing: Promise<void> | undefined;
  let losses = 0;
  let failedLeads = 0;
  /** Those that take the place of a lost one before long. */
  let coming = 0;
  let isStopAnnounced = false;
  const stopping = new AbortController();
  const { signal } = stopping;
  const readyOnes = () => [...workers.values()].filter(({ isReady }) => isReady);
  const staying = () => [...workers.values()].filter((one) => !expected.has(one));
  metrics.workers(() => readyOnes().length);

  const pause = (failures: number) =>
    passed(backoff(failures, { random, longest: LONGEST }), undefined, { signal }).catch(() => {});
  /** Does what nobody waits for. */
  const aside = (work: Promise<unknown>) =>
    void work.catch((error: unknown) =>
      logger.error({ err: error }, 'Looking after workers failed'),
    );

  async function answerMetrics(id: number, question: number): Promise<void> {
    const counted = await Promise.all(
      readyOnes().map(async (one) => [one.id, await one.count()] as const),
    );
    // One that has ended meanwhile is counted with those that are gone.
    const there = counted.filter(([worker]) => workers.has(worker));
    metrics.each(there.flatMap(([worker, said]) => (said ? [[worker, said] as const] : [])));
    const own = (await metrics.registry.getMetricsAsJSON()) as unknown as MetricsSnapshot;
    const text = await gathered.text(new Map([[0, own], ...there]));
    workers.get(id)?.tell({ kind: 'metrics', id: question, text });
  }

  function spawn(isFirst = false): WorkerProcess {
    const start = (): Start => {
      const { count: _count, ...handed } = settings;
      return { kind: 'start', ...handed, isFirst, heldFile };
    };
    const worker = spawnWorker(start, logger, {
      turn: turns.ask,
      turnOver: turns.over,
      metrics: (id, question) => aside(answerMetrics(id, question)),
      buckets: buckets.ask,
      keep: gathered.keep,
    });
    workers.set(worker.id, worker);
    aside(worker.ready.then(() => whenReady(worker)));
    aside(worker.ended.then((how) => whenEnded(worker, how)));
    return worker;
  }

  function whenReady(worker: WorkerProcess): Promise<void> {
    if (isStopAnnounced) worker.tell({ kind: 'announce-stop' });
    return appoint();
  }

  async function whenEnded(worker: WorkerProcess, how: string): Promise<void> {
    workers.delete(worker.id);
    turns.gone(worker.id);
    aside(gathered.gone(worker.id));
    if (lead === worker) {
      lead = undefined;
      aside(appoint());
    }
    if (signal.aborted || expected.delete(worker)) return;
    metrics.workerLost();
    losses = worker.served() >= STEADY ? 1 : losses + 1;
    logger.error({ worker: worker.pid, how }, 'A worker has ended; another one takes its place');
    coming += 1;
    if (losses > 1) await pause(losses - 1);
    coming -= 1;
    if (!signal.aborted) spawn();
  }

  async function appointOne(): Promise<void> {
    while (lead === undefined && !signal.aborted) {
      // One that was started lately has the newest settings.
      const candidate = staying().findLast(({ isReady }) => isReady);
      if (candidate === undefined) return;
      if (await candidate.lead()) {
        failedLeads = 0;
        lead = workers.get(candidate.id);
        continue;
      }
      failedLeads += 1;
      await pause(failedLeads);
    }
  }

  /** Sees to it that one does what one does for all. */
  function appoint(): Promise<void> {
    appointing ??= appointOne().finally(() => {
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

  /**
   * Starts one that is to be ready before all goes on.
   * @param leads whether it is to be able to do what one does for all; then it does
   * @throws OperatorError when it is not, and has ended
   */
  async function add({ isFirst = false, leads = false } = {}): Promise<void> {
    const worker = spawn(isFirst);
    expected.add(worker);
    const isReady = await worker.ready;
    const isDone = isReady && (!leads || (await worker.lead()));
    if (isDone) {
      expected.delete(worker);
      if (leads) lead = workers.get(worker.id);
      return;
    }
    await worker.stop();
    if (!signal.aborted)
      throw new OperatorError('A new worker could not start; see the log before');
  }

  return {
    async start(held) {
      heldFile = held;
      await add({ isFirst: true, leads: true });
      while (staying().length + coming < settings.count && !signal.aborted) await add();
      return !signal.aborted;
    },
    async replace(next) {
      const former = settings;
      settings = next;
      // Before any of the old ones leaves, it is sure that the new ones can do all that these did.
      const old = staying();
      try {
        await add({ leads: true });
      } catch (error) {
        settings = { ...former, keySources: settings.keySources, keySecrets: settings.keySecrets };
        throw error;
      }
      let hasNext = true;
      for (const leaving of old) {
        if (signal.aborted) return;
        // The place of one that has ended is filled already.
        if (!workers.has(leaving.id)) continue;
        if (!hasNext && staying().length + coming <= next.count) await add();
        hasNext = false;
        await retire(leaving);
      }
      while (staying().length + coming < next.count && !signal.aborted) await add();
      for (const leaving of staying().slice(next.count)) await retire(leaving);
    },
    renew(keys) {
      settings = { ...settings, ...keys };
      for (const worker of workers.values()) worker.tell({ kind: 'renew', keys });
    },
    announceStop() {
      isStopAnnounced = true;
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
