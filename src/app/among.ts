import type { BucketStore } from '../platform/bucket-store.ts';
import type { Others } from '../storage/others.ts';

/** What a process shares with others that serve the same clients on the same machine. */
export interface Among extends Others {
  /** What limits count, for all processes, where the database does not hold it. */
  readonly buckets: BucketStore;
  /** The metrics of all processes together, in Prometheus' text format. */
  metricsOfAll(): Promise<string>;
}
