import type { Invite } from './invitations.ts';

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

/** A way to find an association: a spelling of its address, and the hash of that by the pepper in `hashing_metadata`. */
export interface LookupKey {
  readonly spelling: string;
  readonly lookupHash: string;
}

/** The keys of an association that is stored. */
export interface KeysOfAssociation {
  readonly id: number;
  /** Of its address. */
  readonly medium: string;
  readonly keys: readonly LookupKey[];
}

/** An entry of the log, as far as something new of its address is decided by it. */
export interface LoggedAssociation {
  readonly id: number;
  /** Undefined: a deletion. */
  readonly mxid: string | undefined;
  readonly ts: number;
}

/** An association that lookups find, as far as something new of its address is decided by it. */
export interface PublishedAssociation {
  readonly id: number;
  readonly mxid: string;
  readonly originServer: string;
  readonly originId: number;
  readonly ts: number;
}

/** Something that a homeserver is to be told of a binding. */
export interface OwedNotice {
  readonly id: number;
  /** The binding, as JSON. */
  readonly association: string;
}

/** All that there is of an address. */
export interface KnownOfAddress {
  /** What this server said of it, in whatever spelling: one entry, several only as old Sydents left them. */
  readonly logged: readonly LoggedAssociation[];
  /** What lookups find for it, whoever said so. */
  readonly published: readonly PublishedAssociation[];
  /** What homeservers are still to be told of bindings of it. */
  readonly owed: readonly OwedNotice[];
  /** Its pending invitations, the oldest first, as far as they were asked for. */
  readonly pending: readonly Invite[];
}

/** Which pending invitations of an address are wanted. */
export interface WantedInvites {
  /** Of the address, the folded one included. */
  readonly spellings: readonly string[];
  /** Those that came before it have expired. */
  readonly since: number;
  readonly limit: number;
}

export interface AssociationStore {
  /**
   * All that there is of the folded address, in one read.
   * @param serverName whose word the log is
   */
  known(
    threepid: { readonly medium: string; readonly address: string },
    serverName: string,
    invites?: WantedInvites,
  ): Promise<KnownOfAddress>;
  /** Writes an entry in place of those; its id, never used before. */
  appendToLog(entry: LocalAssociation, replaced: readonly LoggedAssociation[]): Promise<number>;
  /** The log from an id on, in order. */
  logAfter(id: number, limit: number): Promise<StoredLocalAssociation[]>;
  /** Those entries of the log that there are. */
  logEntries(ids: readonly number[]): Promise<StoredLocalAssociation[]>;
  /** Makes lookups find it by these keys; false when that origin's id is there already. */
  publish(association: GlobalAssociation, keys: readonly LookupKey[]): Promise<boolean>;
  /** Deletes associations that lookups find. */
  deletePublished(published: readonly PublishedAssociation[]): Promise<void>;
}
