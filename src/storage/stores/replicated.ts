import type { GlobalAssociation, LookupKey } from './associations.ts';

/** A peer's word that an address is no longer bound. */
export interface ReplicatedDeletion {
  readonly medium: string;
  /** Folded. */
  readonly address: string;
  readonly ts: number;
  readonly originId: number;
}

/** An association to be stored, with the keys by which it is to be found. */
export interface KeyedAssociation extends GlobalAssociation {
  readonly keys: readonly LookupKey[];
}

/** What peers said, in the tables that lookups read. To be called under the log's lock. */
export interface ReplicatedStore {
  /**
   * Stores associations of one origin, in place of its older ones of the address. Repeats, and what that
   * origin has replaced or deleted since, are left out; answers those that were stored.
   * @param ahead here and below: what is dated then or later counts as older than anything that comes.
   */
  insert(
    origin: string,
    associations: readonly KeyedAssociation[],
    ahead: number,
  ): Promise<KeyedAssociation[]>;
  /** Deletes that origin's associations of each address, and others' that are not newer. */
  delete(
    origin: string,
    deletions: readonly ReplicatedDeletion[],
    times: { readonly now: number; readonly ahead: number },
  ): Promise<void>;
  /** The highest id of the replication log; 0 when it is empty. */
  highestLogId(): Promise<number>;
  /** Deletes log entries that say "deleted", older than that, that every peer has; the number deleted. */
  pruneLog(before: number, limit: number): Promise<number>;
  /** Forgets which deletions came in before then. */
  forgetDeletions(before: number): Promise<void>;
}
