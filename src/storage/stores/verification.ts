import type { LookupKey } from './associations.ts';

/** An association that lookups answer, as it stands in the database: whoever wrote it, nothing of it has been checked. */
export interface AssociationRow {
  readonly id: number;
  readonly medium: string;
  readonly address: string;
  readonly mxid: string;
  readonly ts: number;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly originServer: string;
  readonly signedJson: string;
}

/** The same with the keys by which lookups find it. */
export interface StoredAssociation extends AssociationRow {
  readonly keys: readonly LookupKey[];
}

/** Ids of associations whose keys were looked at, in their order. */
export interface KeysLookedAt {
  /** The last of them. */
  readonly last: number;
  readonly keys: number;
  /** Those of which there are keys, and no association. */
  readonly orphaned: readonly number[];
}

/** For checking that a database holds what it should. */
export interface VerificationStore {
  /** What the engine finds wrong with its file, so many at most; PostgreSQL has its own programs for that. */
  fileFaults(limit: number): Promise<readonly string[]>;
  /** Undefined when there is none. */
  pepper(): Promise<string | undefined>;
  /** In the order of ids, from behind the given one on; each may be long. */
  associationsAfter(id: number, limit: number): Promise<StoredAssociation[]>;
  /** Those of them that there are. */
  associations(ids: readonly number[]): Promise<StoredAssociation[]>;
  /** Looks at so many keys behind those of that association. */
  keysAfter(id: number, limit: number): Promise<KeysLookedAt | undefined>;
  /** Those of these ids of which there are keys, and no association. */
  orphanedAmong(ids: readonly number[]): Promise<number[]>;
  /** Deletes all keys of these ids. */
  deleteKeysOf(ids: readonly number[]): Promise<void>;
  deleteKey(id: number, spelling: string): Promise<void>;
}
