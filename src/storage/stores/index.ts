import type { WriteTurn } from '../others.ts';
import type { AccountStore } from './accounts.ts';
import type { AdoptionStore } from './adoption/adoption.ts';
import type { OwnAssociationStore } from './adoption/own-associations.ts';
import type { RespellingStore } from './adoption/respelling.ts';
import type { AssociationStore } from './associations.ts';
import type { EphemeralKeyStore } from './ephemeral-keys.ts';
import type { ErasureStore } from './erasures.ts';
import type { HistoryStore } from './history.ts';
import type { InvitationRefusalStore } from './invitation-refusals.ts';
import type { InvitationStore } from './invitations.ts';
import type { LookupStore } from './lookups.ts';
import type { MessageEventStore } from './message-events.ts';
import type { NetworkKeyStore } from './network-keys.ts';
import type { OnbindNoticeStore } from './onbind-notices.ts';
import type { AdminTokenStore, AuditStore } from './operators.ts';
import type { OverviewStore } from './overview.ts';
import type { OwnerNoticeStore } from './owner-notices.ts';
import type { OwnerSessionStore } from './owner-sessions.ts';
import type { PeerStore } from './peers.ts';
import type { PepperStore } from './peppers.ts';
import type { PersonStore } from './persons.ts';
import type { Remnants } from './remnants.ts';
import type { ReplicatedStore } from './replicated.ts';
import type { SessionStore } from './sessions.ts';
import type { SharedBuckets } from './shared-buckets.ts';
import type { StateStore } from './state.ts';
import type { VerificationStore } from './verification.ts';

export type * from './accounts.ts';
export type * from './adoption/adoption.ts';
export type * from './adoption/own-associations.ts';
export type * from './adoption/respelling.ts';
export type * from './associations.ts';
export type * from './ephemeral-keys.ts';
export type * from './erasures.ts';
export type * from './history.ts';
export type * from './invitation-refusals.ts';
export type * from './invitations.ts';
export type * from './lookups.ts';
export type * from './message-events.ts';
export type * from './network-keys.ts';
export type * from './onbind-notices.ts';
export type * from './operators.ts';
export type * from './overview.ts';
export type * from './owner-notices.ts';
export type * from './owner-sessions.ts';
export type * from './peers.ts';
export type * from './peppers.ts';
export type * from './persons.ts';
export type * from './remnants.ts';
export type * from './replicated.ts';
export type * from './sessions.ts';
export type * from './shared-buckets.ts';
export type * from './state.ts';
export type * from './verification.ts';

/**
 * What the domain asks of a database. Implemented once, on Kysely, for SQLite and PostgreSQL.
 * Times are milliseconds since the epoch. What is not found is `undefined`.
 */
export interface Stores {
  readonly sessions: SessionStore;
  readonly associations: AssociationStore;
  readonly lookups: LookupStore;
  readonly ephemeralKeys: EphemeralKeyStore;
  readonly erasures: ErasureStore;
  readonly accounts: AccountStore;
  readonly networkKeys: NetworkKeyStore;
  readonly invitations: InvitationStore;
  readonly invitationRefusals: InvitationRefusalStore;
  readonly messageEvents: MessageEventStore;
  readonly history: HistoryStore;
  readonly onbindNotices: OnbindNoticeStore;
  readonly state: StateStore;
  readonly adoption: AdoptionStore;
  readonly ownAssociations: OwnAssociationStore;
  readonly respelling: RespellingStore;
  readonly overview: OverviewStore;
  readonly adminTokens: AdminTokenStore;
  readonly audit: AuditStore;
  readonly ownerNotices: OwnerNoticeStore;
  readonly ownerSessions: OwnerSessionStore;
  readonly peers: PeerStore;
  readonly peppers: PepperStore;
  readonly persons: PersonStore;
  readonly replicated: ReplicatedStore;
  readonly verification: VerificationStore;
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
   * until it ends, the work uses no others. Those who wait for each other share a commit; after one that
   * failed the work may be run again, so it changes nothing beside the database.
   * @throws Error from any other query, or transaction, that the work begins
   */
  transaction<T>(work: (transaction: OpenTransaction) => Promise<T>): Promise<T>;
  /**
   * The same for whoever writes associations, or what goes by their order: no other such transaction runs meanwhile.
   * @param key what the work is about: those who share a commit come in the order of their keys
   */
  logTransaction<T>(work: (transaction: OpenTransaction) => Promise<T>, key?: string): Promise<T>;
  /**
   * The pepper in `hashing_metadata`, of the hashes in Sydent's tables, and of lookups until it is rotated; made by the
   * first process that opens the database.
   */
  readonly pepper: string;
  /** What nodes count together, by the database's time; undefined on SQLite. */
  readonly sharedBuckets: SharedBuckets | undefined;
  /** The turns to write, for other connections of this process; undefined where nobody needs to wait for one. */
  readonly writeTurn?: WriteTurn | undefined;
  /** Of deleted rows in its file; undefined where there is no file of ours. */
  readonly remnants: Remnants | undefined;
  /** Resolves when the database answers. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
