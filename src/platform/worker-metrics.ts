import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** What is counted of the processes that serve clients together. */
export interface WorkerMetrics {
  readonly registry: Registry;
  /** How many serve clients, each time the metrics are read. */
  workers(measure: () => number): void;
  /** One has ended that was not told to. */
  workerLost(): void;
}

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
  return {
    registry,
    workers(measure) {
      count = measure;
    },
    workerLost: () => lost.inc(),
  };
}
