import type { Lease } from '../../platform/leases.ts';
import type { OwedNotice } from './associations.ts';
import type { Invite } from './invitations.ts';

/** What a bind owes to the homeserver of its user: to be told, the pending invitations included. */
export interface Notice {
  readonly id: number;
  readonly serverName: string;
  /** The association as JSON, not signed. */
  readonly association: string;
  readonly createdAt: number;
  readonly attempts: number;
  /** When the homeserver first refused it, or the notice that it was part of. */
  readonly refusedAt: number | undefined;
}

export interface NewNotice {
  readonly id: number;
  readonly serverName: string;
  /** Of the association. */
  readonly address: string;
  readonly association: string;
  readonly createdAt: number;
  readonly refusedAt?: number;
  /** When it is to be tried. */
  readonly dueAt: number;
  /** Tokens of the invitations it carries; they are taken out of other notices. */
  readonly tokens: readonly string[];
}

/** A homeserver that one process delivers to. */
export interface ClaimedServer {
  readonly serverName: string;
  /** How many times in a row it has not taken anything. */
  readonly failures: number;
  /** Before that it is offered nothing again that it refused. */
  readonly refusedDueAt: number;
}

export interface Claim extends Lease {
  /** Whether of those that have failed lately, or are owed only what they refused, or of the others. */
  readonly troubled: boolean;
  /** Whose turn came last, or first. */
  readonly newestFirst: boolean;
  /** Homeservers that are left as they are. */
  readonly except: readonly string[];
  readonly limit: number;
}

export interface Release extends ClaimedServer {
  readonly holder: string;
  readonly troubled: boolean;
  /** Its next turn. */
  readonly dueAt: number;
  /** Why it did not take something just now; undefined: what was said before holds, for as long as it is owed anything. */
  readonly failure: { readonly reason: string; readonly at: number } | undefined;
}

/** How much is owed. */
export interface OnbindNoticeCount {
  readonly all: number;
  /** Of them, those that were refused and are to be offered again. */
  readonly refused: number;
  /** When the oldest came that was not refused; undefined when there is none. */
  readonly oldest: number | undefined;
}

/**
 * The homeservers that something is owed to. Each is delivered to by one process at a time, which
 * claims it; a claim that is not renewed lapses.
 */
export interface OnbindServers {
  /** Something new is owed to it, to be tried then. */
  giveTurn(serverName: string, dueAt: number): Promise<void>;
  /** Whether it is any homeserver's turn, of those in trouble or of the others. */
  hasDue(troubled: boolean, now: number): Promise<boolean>;
  /** Claims homeservers whose turn it is. In a transaction. */
  claim(claim: Claim): Promise<ClaimedServer[]>;
  /** Which of these claims still hold, and do so until the lease's end. */
  renew(lease: Lease, serverNames: readonly string[]): Promise<Set<string>>;
  /** Gives the claim back. */
  release(release: Release): Promise<void>;
  /** Ends the claim on a homeserver that nothing is owed to any more. */
  forget(serverName: string, holder: string): Promise<void>;
}

/**
 * The notices owed, by homeserver. They are removed under the log's lock, so that a bind sees all of it
 * or nothing.
 */
export interface OnbindNoticeStore extends OnbindServers {
  /** Notes what is owed, and that its homeservers have their turn. */
  add(notices: readonly NewNotice[]): Promise<void>;
  /** Notices to be tried now that were never refused, those that wait longest first. */
  due(serverName: string, now: number, limit: number): Promise<Notice[]>;
  /**
   * Notices to be tried now that were refused: those that wait longest, and where there are more than
   * the limit, as many of the latest, those that were tried least.
   */
  dueRefused(serverName: string, now: number, limit: number): Promise<Notice[]>;
  /** When the first of the homeserver's notices is to be tried, of each kind; undefined where there is none. */
  nextAttempts(
    serverName: string,
  ): Promise<{ readonly fresh: number | undefined; readonly refused: number | undefined }>;
  /** Undefined when it is not owed any more. */
  find(id: number): Promise<Notice | undefined>;
  /** The invitations that the notice carries, as far as they are still pending, the oldest first. */
  invitesOf(id: number): Promise<Invite[]>;
  /** Removes notices; their invitations, where not delivered, are pending again. */
  remove(ids: readonly number[]): Promise<void>;
  postpone(id: number, attempts: number, until: number): Promise<void>;
  /** Notes that it was refused, for the first time then unless it was before. */
  refuse(id: number, attempts: number, until: number, now: number): Promise<void>;
  /** What is owed for bindings of these addresses. */
  owedFor(addresses: readonly string[]): Promise<OwedNotice[]>;
  /** When the homeserver's oldest notice came; undefined when there is none. */
  oldest(serverName: string): Promise<number | undefined>;
  /** Removes notices that old, their invitations stay pending; the number removed. */
  removeCreatedBefore(serverName: string, time: number, limit: number): Promise<number>;
  /** Counts up to the limit. */
  measure(limit: number): Promise<OnbindNoticeCount>;
}
