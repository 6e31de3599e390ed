import type { Medium } from '../../model/addresses.ts';
import type { AssociationRow } from './verification.ts';

/** Some of many, in the order of their ids. */
export interface Page {
  /** Those behind that id; 0: from the first on. */
  readonly after: number;
  readonly limit: number;
}

/** How much of everything there is. */
export interface Counts {
  /** By medium, and whether this server made them. */
  readonly associations: readonly {
    readonly medium: string;
    readonly own: number;
    readonly ofPeers: number;
  }[];
  readonly sessions: { readonly all: number; readonly validated: number };
  readonly invitations: { readonly pending: number; readonly oldest: number | undefined };
  readonly accounts: number;
  readonly tokens: number;
  readonly owed: {
    readonly notices: number;
    readonly refused: number;
    readonly homeservers: number;
    readonly oldest: number | undefined;
  };
}

export interface InviteRow {
  readonly id: number;
  readonly medium: string;
  readonly address: string;
  readonly roomId: string;
  readonly sender: string;
  readonly token: string;
  readonly receivedAt: number | undefined;
  readonly deliveredAt: number | undefined;
  /** The notice that carries it; undefined while its address is not bound. */
  readonly notice: number | undefined;
}

/** What invitations are counted by. */
export interface InviteGist
  extends Pick<InviteRow, 'roomId' | 'sender' | 'receivedAt' | 'deliveredAt'> {
  /** As JSON. */
  readonly mail: string | undefined;
}

export interface OwedRow {
  readonly id: number;
  readonly homeserver: string;
  readonly address: string;
  readonly createdAt: number;
  readonly attempts: number;
  readonly nextAttemptAt: number;
  readonly refusedAt: number | undefined;
  /** Why the homeserver did not take something the last time. */
  readonly failure: { readonly reason: string; readonly at: number } | undefined;
}

export interface SessionRow {
  readonly id: number;
  readonly medium: string;
  readonly address: string;
  readonly validated: boolean;
  readonly modifiedAt: number;
  readonly sentAttempt: number;
  readonly wrongGuesses: number;
  readonly binds: number;
}

export interface AccountRow {
  readonly userId: string;
  readonly createdAt: number;
  readonly consentVersion: string | undefined;
  readonly tokens: number;
}

export type Stock = Pick<Counts, 'associations' | 'invitations' | 'owed'>;

/** What operators look at and put right, beside the servers that run. Nothing of it is asked for by a request of clients. */
export interface OverviewStore {
  /** Goes through whole tables. @param serverName whose associations are this server's own */
  counts(serverName: string): Promise<Counts>;
  /** The same, of what is looked at once an hour. */
  stock(serverName: string): Promise<Stock>;
  /** All associations of the folded address, valid or not. */
  associationsAt(medium: string, address: string): Promise<AssociationRow[]>;
  associationsOf(mxid: string, page: Page): Promise<AssociationRow[]>;
  /** @param which those of a folded address, or of a sender; those that are not delivered; of all without them */
  invites(
    which: {
      readonly address?: string;
      /** Of the address; without it either. */
      readonly medium?: Medium;
      readonly sender?: string;
      readonly undelivered?: boolean;
    },
    page: Page,
  ): Promise<InviteRow[]>;
  /**
   * Goes through all that are kept, some at a time, and lets others have their turn in between.
   * @param which `since`: without those that came before that time; of some it is not known. `withMail`: with what their
   * mails say, as far as that is kept, and no secret
   */
  eachInvite(
    which: { readonly since: number; readonly withMail?: boolean },
    see: (some: readonly InviteGist[]) => Promise<void>,
  ): Promise<void>;
  /** What the database says of itself: bytes, and its time in milliseconds where it has one of its own. */
  vitals(): Promise<{ readonly bytes: number; readonly time: number | undefined }>;
  owed(homeserver: string | undefined, page: Page): Promise<OwedRow[]>;
  /** Lets a homeserver be told again now; false when nothing is owed to it. */
  retryNow(homeserver: string, now: number): Promise<boolean>;
  /** @param address folded; of all without it */
  sessions(address: string | undefined, page: Page): Promise<SessionRow[]>;
  /** Whether there was one. */
  deleteSession(id: number): Promise<boolean>;
  /** Those behind that user id, in an order of the database's own. */
  accounts(after: string, limit: number): Promise<AccountRow[]>;
  /** Ends all of an account's access tokens; how many. */
  logOut(userId: string): Promise<number>;
}
