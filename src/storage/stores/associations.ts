/** An entry of the replication log: what this server itself said of an address. */
export interface LocalAssociation {
  readonly medium: string;
  readonly address: string;
  /** Undefined: a deletion. */
  readonly mxid: string | undefined;
  readonly ts: number;
  readonly notBefore: number | undefined;
  readonly notAfter: number | undefined;
  readonly lookupHash: string | undefined;
}

export interface StoredLocalAssociation extends LocalAssociation {
  readonly id: number;
}

/** An association that lookups answer, this server's or a peer's. */
export interface GlobalAssociation {
  readonly medium: string;
  readonly address: string;
  readonly mxid: string;
  readonly ts: number;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly originServer: string;
  readonly originId: number;
  /** The signed association as JSON. */
  readonly signedJson: string;
  readonly lookupHash: string;
}

/** A way to find an association: a spelling of its address, and the hash of that. */
export interface LookupKey {
  readonly spelling: string;
  readonly lookupHash: string;
}

/** The keys of an association that is stored. */
export interface KeysOfAssociation {
  readonly id: number;
  readonly keys: readonly LookupKey[];
}

/** Associations that something new leaves behind, by their `ts`. */
export interface OutdatedAssociations {
  /** Those of then and before; undefined: they stay, and count less. */
  readonly upTo: number | undefined;
  /** Those of then and after: too far ahead to be true, and so older than anything that comes. */
  readonly ahead: number;
}

export interface AssociationStore {
  /** Makes this transaction the only one that writes associations, so that log ids appear in order. */
  lockLog(): Promise<void>;
  /** What this server last said of the address, whatever the case it is stored in. */
  findOwn(
    medium: string,
    address: string,
    serverName: string,
  ): Promise<StoredLocalAssociation | undefined>;
  /** The newest `ts` of any association of the address that is below the limit. */
  newestTs(medium: string, address: string, below: number): Promise<number | undefined>;
  /** Replaces what this server said of the address; the new entry's id, never used before. */
  appendToLog(
    entry: LocalAssociation,
    serverName: string,
  ): Promise<{ readonly id: number; readonly replaced: readonly StoredLocalAssociation[] }>;
  /** The log from an id on, in order. */
  logAfter(id: number, limit: number): Promise<StoredLocalAssociation[]>;
  /** Those entries of the log that there are. */
  logEntries(ids: readonly number[]): Promise<StoredLocalAssociation[]>;
  /** False when that origin's id is there already. */
  insertGlobal(association: GlobalAssociation, keys: readonly LookupKey[]): Promise<boolean>;
  /** Deletes the origin server's associations of the address, and those of others that are as old as that. */
  deleteGlobal(
    medium: string,
    address: string,
    originServer: string,
    others: OutdatedAssociations,
  ): Promise<void>;
}
