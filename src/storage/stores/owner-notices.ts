import type { Lease } from '../../platform/leases.ts';
import type { KeptRow, Person } from './persons.ts';

/** What became of an address that led to somebody. */
export interface OwnedChange {
  /** Folded. */
  readonly address: string;
  /** Of all addresses by which mail arrives there. */
  readonly mailbox: string;
  /** Whom it led to. */
  readonly mxid: string;
  /** Whom it leads to now; undefined: nobody. */
  readonly newMxid: string | undefined;
  /** The homeserver that asked for it; undefined: an app, by a session. */
  readonly homeserver: string | undefined;
  readonly changedAt: number;
}

/** What the owner of an address is to be told by one mail: the last change, and how many there were. */
export interface OwnerNotice extends OwnedChange {
  readonly changes: number;
  /** When the first of them was. */
  readonly since: number;
  /** How many times it could not be mailed. */
  readonly attempts: number;
}

/** How many mails a mailbox gets: so many within so long (ms). */
export interface MailboxRoom {
  readonly mails: number;
  readonly within: number;
}

export interface WantedNotices {
  readonly limit: number;
  readonly changedAfter: number;
  /** Addresses whose notices are left as they are. */
  readonly except: readonly string[];
  readonly room: MailboxRoom;
}

/** Notices owed to owners of addresses: one an address, to which what comes later is added. */
export interface OwnerNoticeStore {
  /** Notes a change, in place of the one before it that was not told. In the transaction that makes it. */
  add(change: OwnedChange): Promise<void>;
  /** How many are not mailed yet, 100,000 at most. */
  waiting(): Promise<number>;
  /** Whether any is to be mailed, of those that changed after that time. */
  hasDue(now: number, changedAfter: number): Promise<boolean>;
  /**
   * Claims those that are to be mailed, and puts off those whose mailbox has no room. Under the log's
   * lock, so that no two claims take the same room.
   * @returns those claimed, and how many were looked at
   */
  claim(
    lease: Lease,
    wanted: WantedNotices,
  ): Promise<{ readonly claimed: readonly OwnerNotice[]; readonly seen: number }>;
  renew(lease: Lease, addresses: readonly string[]): Promise<void>;
  /** It was mailed then: what has changed since it was claimed is still owed. */
  sent(notice: OwnerNotice, holder: string, times: MailedAt, room: MailboxRoom): Promise<void>;
  /** It could not be mailed: again then. */
  postpone(notice: OwnerNotice, holder: string, until: number): Promise<void>;
  /** Removes those whose last change is older, so many at most; whose they were. */
  giveUp(before: number, limit: number): Promise<string[]>;
  /** Forgets mails of before that time. */
  forgetMails(before: number, limit: number): Promise<number>;
  /** What waits for an address, or names a user; and when mails went out. */
  keptOf(person: Person, limit: number): Promise<KeptRow[]>;
  remove(person: Person): Promise<number>;
}

export interface MailedAt {
  /** When it was claimed. */
  readonly claimed: number;
  readonly sent: number;
}
