import type { KeysOfAssociation } from '../associations.ts';

/** A row whose lookup keys are still to be made. */
export interface UnindexedAssociation {
  readonly id: number;
  readonly medium: string;
  readonly address: string;
  readonly originServer: string;
}

export interface UnadoptedSession {
  readonly id: number;
  readonly medium: string;
  readonly address: string;
  readonly clientSecret: string;
}

/** For catching up with what Sydent wrote into the same database. */
export interface AdoptionStore {
  /** Sessions that Sydent made, the newest first. */
  sessionsWithoutExtras(limit: number): Promise<UnadoptedSession[]>;
  countSessionsWithoutExtras(): Promise<number>;
  /** Makes what we keep beside Sydent's rows; the first adopted of a kind becomes the current one. */
  adoptSessions(sessions: readonly UnadoptedSession[], now: number): Promise<void>;
  associationsAfter(id: number, limit: number): Promise<UnindexedAssociation[]>;
  countAssociationsAfter(id: number): Promise<number>;
  /** The signed JSON of these associations, by id; each may be long. */
  signedJson(ids: readonly number[]): Promise<ReadonlyMap<number, string>>;
  /** Adds those keys that are not there yet; how many were added. */
  insertKeys(keys: readonly KeysOfAssociation[]): Promise<number>;
  /**
   * Before many keys are added, where nobody looks anything up meanwhile: lookups go without their indexes, which are
   * made faster of all keys at once. A start that is killed restores them the next time.
   */
  setKeyIndexesAside(): Promise<void>;
  /** Makes those that were set aside. */
  restoreKeyIndexes(): Promise<void>;
  /** Deletes keys, of so many behind that association, whose association is gone; the last looked at. */
  deleteOrphanedKeys(after: number, limit: number): Promise<number | undefined>;
  countLogAfter(id: number): Promise<number>;
  highestOriginId(originServer: string): Promise<number>;
  /** Lookup keys in the order of association and spelling, from behind the given one on. */
  keysAfter(id: number, spelling: string, limit: number): Promise<StoredLookupKey[]>;
  countKeysAfter(id: number): Promise<number>;
  setKeyHash(id: number, spelling: string, lookupHash: string): Promise<void>;
}

export interface StoredLookupKey {
  /** Of the association. */
  readonly id: number;
  readonly medium: string;
  readonly spelling: string;
}
