import type { LookupPeppers } from '../../model/lookup-peppers.ts';

/** A key whose hash is to be made. */
export interface UnhashedKey {
  /** Of the association. */
  readonly id: number;
  readonly spelling: string;
  readonly medium: string;
}

/** A hash by which an association is found. */
export interface RotatedHash {
  readonly id: number;
  readonly hash: string;
}

/** The peppers of lookups, and the hashes by those that are not the one in `hashing_metadata`. */
export interface PepperStore {
  read(): Promise<LookupPeppers>;
  /** Whether programs are connected that know of no pepper but the one in `hashing_metadata`. */
  hasOlderPrograms(): Promise<boolean>;
  /** To be called under the log's lock: who writes keys goes by it. */
  write(peppers: LookupPeppers): Promise<void>;
  /**
   * All keys of some associations behind that id, in the order of ids, about so many; undefined where there are none.
   * Those of which there is no association are left out.
   */
  keysBehind(
    id: number,
    limit: number,
  ): Promise<{ readonly last: number; readonly keys: readonly UnhashedKey[] } | undefined>;
  /** All keys of those associations. */
  keysOf(ids: readonly number[]): Promise<UnhashedKey[]>;
  /** The highest id of an association with keys; 0 when there is none. */
  lastId(): Promise<number>;
  /** Adds hashes of associations that still have keys. To be called under the log's lock; fastest in their order. */
  add(number: number, hashes: readonly RotatedHash[]): Promise<void>;
  /** Deletes the hashes by a pepper behind that one, so many at most; the last, or undefined when none is left behind it. */
  deleteBehind(number: number, hash: string, limit: number): Promise<string | undefined>;
  /** Those of these hashes that are not there. */
  missing(number: number, hashes: readonly RotatedHash[]): Promise<RotatedHash[]>;
  /** Hashes by a pepper, in their order from behind that one on; all of a hash at once. */
  hashesBehind(number: number, after: string, limit: number): Promise<RotatedHash[]>;
  delete(number: number, hashes: readonly RotatedHash[]): Promise<void>;
}
