import type { AdoptionStore, OwnRowStore, RespellingStore } from './adoption-stores.ts';
import type { EphemeralKeyStore, InvitationStore } from './invitation-stores.ts';
import type { OutboxStore } from './outbox-stores.ts';
import type { PeerStore, ReplicatedStore } from './replication-stores.ts';
import type { SessionStore } from './session-store.ts';

export type * from './adoption-stores.ts';
export type * from './invitation-stores.ts';
export type * from './outbox-stores.ts';
export type * from './replication-stores.ts';
export type * from './session-store.ts';

/**
 * What the domain asks of a database. Implemented once, on Kysely, for SQLite and PostgreSQL.
 * Times are milliseconds since the epoch. What is not found is `undefined`.
 */
export interface Stores {
  readonly sessions: SessionStore;
  readonly associations: AssociationStore;
  readonly lookups: LookupStore;
  readonly ephemeralKeys: EphemeralKeyStore;
  readonly accounts: AccountStore;
  readonly networkKeys: NetworkKeyStore;
  readonly invitations: InvitationStore;
  readonly outbox: OutboxStore;
  readonly adoption: AdoptionStore;
  readonly ownRows: OwnRowStore;
  readonly respelling: RespellingStore;
  readonly peers: PeerStore;
  readonly replicated: ReplicatedStore;
}

/** The stores of a transaction that is under way. */
export interface OpenTransaction extends Stores {
  /** What is to happen once all of it is committed, and not when it is undone: waking, counting, telling. */
  onCommit(step: () => void): void;
}

export interface Storage {
  /** Each call by itself, committed when it returns. */
  readonly stores: Stores;
  /**
   * Runs the work in one write transaction: committed, durably, before the promise resolves,
   * undone when the work throws. Stores given to the work are of the transaction, and only valid in it;
   * until it ends, the work uses no others.
   * @throws Error from any other query, or transaction, that the work begins
   */
  transaction<T>(work: (transaction: OpenTransaction) => Promise<T>): Promise<T>;
  /** What goes into the lookup hashes; made by the first process that opens the database. */
  readonly pepper: string;
  /** Resolves when the database answers. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

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

/** A valid association found for a key that was looked up. */
export interface FoundAssociation {
  /** The spelling or hash asked for. */
  readonly key: string;
  readonly id: number;
  readonly medium: string;
  readonly address: string;
  readonly mxid: string;
  readonly ts: number;
}

export interface FoundSignedAssociation extends FoundAssociation {
  readonly notBefore: number;
  readonly notAfter: number;
  readonly originServer: string;
  readonly signedJson: string;
}

export interface LookupStore {
  /** All associations valid now of these folded addresses; not in any order. */
  byAddresses(addresses: readonly string[], now: number): Promise<FoundAssociation[]>;
  /** All associations valid now with these hashes; not in any order. */
  byHashes(hashes: readonly string[], now: number): Promise<FoundAssociation[]>;
  /** All associations valid now of one folded address. */
  signedByAddress(medium: string, address: string, now: number): Promise<FoundSignedAssociation[]>;
}

/** What is known of an access token. */
export interface StoredToken {
  /** As it is stored. */
  readonly token: string;
  readonly userId: string;
  /** The version of the terms that its user accepted as a whole. */
  readonly consentVersion: string | undefined;
  readonly lastUsed: number | undefined;
}

/** Since when an account is there. */
export interface DatedAccount {
  readonly userId: string;
  readonly createdAt: number;
}

/** Accounts, their access tokens and what terms they accepted. Tokens are given as they are stored. */
export interface AccountStore {
  /** Makes the account where there is none yet, and gives it the token. */
  addToken(userId: string, token: string, now: number): Promise<void>;
  /**
   * Deletes, of the tokens an account has beyond that number, those that were used longest ago, undated
   * ones first, some at a time; the number deleted. The newest token stays in any case.
   */
  deleteOldestTokens(userId: string, newest: string, most: number, limit: number): Promise<number>;
  /** The first found of several forms in which a token may be stored. */
  findToken(forms: readonly string[]): Promise<StoredToken | undefined>;
  touchToken(token: string, now: number): Promise<void>;
  deleteToken(forms: readonly string[]): Promise<void>;
  /** Deletes tokens last used then or earlier, some at a time; the number deleted. */
  deleteTokensUnusedSince(time: number, limit: number): Promise<number>;
  /** Goes through the tokens behind that one and counts those nobody dated as used now; the last. */
  dateTokens(after: string, now: number, limit: number): Promise<string | undefined>;
  /** The accounts behind that user id, in an order of the database's own. */
  after(userId: string, limit: number): Promise<DatedAccount[]>;
  acceptedUrls(userId: string): Promise<string[]>;
  acceptUrls(userId: string, urls: readonly string[]): Promise<void>;
  setConsentVersion(userId: string, version: string): Promise<void>;
}

/** The keys by which the log names client networks, one a week. */
export interface NetworkKeyStore {
  /** The week's key: that one where there is none yet. */
  keyOf(week: number, fresh: string): Promise<string>;
  deleteBefore(week: number): Promise<void>;
}
