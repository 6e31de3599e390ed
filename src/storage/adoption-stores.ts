import type { KeysOfAssociation, StoredLocalAssociation } from './stores.ts';

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

/** Of a session or an invitation. */
export interface StoredAddress {
  readonly id: number;
  readonly address: string;
}

/**
 * Rows whose email address is beyond ASCII or has an A-label, as Sydent and earlier versions spelt these
 * otherwise: in the order of ids, from behind the given one on.
 */
export interface RespellingStore {
  /** By their keys, each as often as it has such. */
  associationsAfter(id: number, limit: number): Promise<UnindexedAssociation[]>;
  lastAssociation(): Promise<number>;
  /** Pending ones. */
  invitationsAfter(id: number, limit: number): Promise<StoredAddress[]>;
  lastInvitation(): Promise<number>;
  setInvitationAddress(id: number, address: string): Promise<void>;
  sessionsAfter(id: number, limit: number): Promise<StoredAddress[]>;
  /** One whose place another session has is not the current one any more. */
  setSessionAddress(id: number, address: string): Promise<void>;
}

/** For catching up with what Sydent wrote into the same database. */
export interface AdoptionStore {
  /** A value this server keeps beside the data, such as how far it has read a table. */
  getState(key: string): Promise<string | undefined>;
  setState(key: string, value: string): Promise<void>;
  deleteState(key: string): Promise<void>;
  /** Sessions that Sydent made, the newest first. */
  sessionsWithoutExtras(limit: number): Promise<UnadoptedSession[]>;
  countSessionsWithoutExtras(): Promise<number>;
  /** Makes what we keep beside Sydent's row; the first adopted of a kind becomes the current one. */
  adoptSession(session: UnadoptedSession, now: number): Promise<void>;
  associationsAfter(id: number, limit: number): Promise<UnindexedAssociation[]>;
  countAssociationsAfter(id: number): Promise<number>;
  /** The signed JSON of these associations, by id; each may be long. */
  signedJson(ids: readonly number[]): Promise<ReadonlyMap<number, string>>;
  /** Adds those keys that are not there yet; how many were added. */
  insertKeys(keys: readonly KeysOfAssociation[]): Promise<number>;
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

/** An association of this server's own in the table that lookups read. */
export interface OwnRow {
  readonly id: number;
  readonly medium: string;
  readonly address: string;
  readonly mxid: string;
  readonly ts: number;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Its entry in the log. */
  readonly originId: number;
}

/** This server's own associations, for putting in order what stands under another spelling of its name. */
export interface OwnRowStore {
  /** The origins that are this server's name in another case: one probe for each origin there is. */
  otherNames(serverName: string): Promise<string[]>;
  count(originServer: string): Promise<number>;
  /** The first of that origin. */
  first(originServer: string, limit: number): Promise<OwnRow[]>;
  /** Those of that origin that belong to these entries of the log. */
  ofEntries(originServer: string, ids: readonly number[]): Promise<OwnRow[]>;
  /** Those of that origin that lookups find by these folded addresses. */
  ofAddresses(originServer: string, addresses: readonly string[]): Promise<OwnRow[]>;
  /** Which of these addresses, exactly as spelt, the log says anything of: `medium address`. */
  inLog(addresses: readonly string[]): Promise<ReadonlySet<string>>;
  rename(id: number, originServer: string, signedJson: string): Promise<void>;
  delete(ids: readonly number[]): Promise<void>;
  /** The entries of the log of each of these folded email addresses, however spelt there. */
  entriesOf(
    originServer: string,
    addresses: readonly string[],
  ): Promise<ReadonlyMap<string, StoredLocalAssociation[]>>;
}
