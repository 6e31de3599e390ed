import type { BucketStore } from '../../platform/bucket-store.ts';

/** Buckets in the database, for all nodes that use it. */
export interface SharedBuckets extends BucketStore {
  /** Deletes those that are empty; how many there were. */
  deleteEmpty(): Promise<number>;
}
