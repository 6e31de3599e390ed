import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { MetricsSnapshot } from './metrics.ts';

/** What is counted of the processes that serve clients together. */
export interface WorkerMetrics {
  readonly registry: Registry;
  /** How many serve clients, each time the metrics are read. */
  workers(measure: () => number): void;
  /** One has ended that was not told to. */
  workerLost(): void;
  /** What each of those has counted that serve clients now, by its number. */
  each(counted: Iterable<readonly [worker: number, snapshot: MetricsSnapshot]>): void;
}

/** What is told of each worker, beside what is added up: how equally they are busy. */
const OF_EACH = [
  {
    name: 'cognomen_worker_cpu_seconds',
    from: 'process_cpu_seconds_total',
    help: 'Processor time that a worker has used since it was started',
  },
  {
    name: 'cognomen_worker_resident_memory_bytes',
    from: 'process_resident_memory_bytes',
    help: 'Memory of a worker',
  },
  {
    name: 'cognomen_worker_event_loop_lag_seconds',
    from: 'nodejs_eventloop_lag_p99_seconds',
    help: 'How late a worker’s event loop came in one of a hundred cases, since the metrics were read last',
  },
  {
    name: 'cognomen_worker_http_requests',
    from: 'cognomen_http_requests_total',
    help: 'Requests that a worker has answered since it was started',
  },
] as const;

const sumOf = (snapshot: MetricsSnapshot, name: string): number =>
  (snapshot.find((metric) => metric.name === name)?.values ?? []).reduce(
    (sum, { value }) => sum + value,
    0,
  );

/** The metrics of the process that looks after the others, in a registry of their own; the others' are added. */
export function createWorkerMetrics(): WorkerMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  let count = () => 0;
  new Gauge({
    name: 'cognomen_workers',
    help: 'Processes that serve clients, where [general] workers is 2 or more',
    registers,
    collect() {
      this.set(count());
    },
  });
  const lost = new Counter({
    name: 'cognomen_workers_lost_total',
    help: 'Of those, how many have ended without being told to; others took their places',
    registers,
  });
  const ofEach = OF_EACH.map(({ name, help, from }) => ({
    from,
    gauge: new Gauge({ name, help, labelNames: ['worker'], registers }),
  }));
  return {
    registry,
    workers(measure) {
      count = measure;
    },
    workerLost: () => lost.inc(),
    each(counted) {
      const all = [...counted];
      for (const { gauge, from } of ofEach) {
        // Those that are gone are not told of.
        gauge.reset();
        for (const [worker, snapshot] of all) gauge.set({ worker }, sumOf(snapshot, from));
      }
    },
  };
}
