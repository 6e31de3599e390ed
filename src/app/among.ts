import type { Others } from '../storage/others.ts';

/** What a process shares with others that serve the same clients on the same machine. */
export interface Among extends Others {
  /** The metrics of all processes together, in Prometheus' text format. */
  metricsOfAll(): Promise<string>;
}
