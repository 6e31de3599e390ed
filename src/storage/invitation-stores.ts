export interface EphemeralKeyStore {
  /** Whether the key belongs to an invitation that is pending, or was so lately; counts the question. */
  countVerification(publicKey: string, now: number): Promise<boolean>;
  /** Deletes keys that were valid until some time before now; the number deleted. */
  deleteExpired(now: number, limit: number): Promise<number>;
}

/** An invitation of an address that was not bound then. */
export interface Invite {
  readonly medium: string;
  readonly address: string;
  readonly roomId: string;
  readonly sender: string;
  readonly token: string;
}

export interface InvitationStore {
  /**
   * Invitations not delivered yet of any of these addresses, the oldest first.
   * @param since those that came before it have expired
   */
  pending(
    medium: string,
    addresses: readonly string[],
    since: number,
    limit: number,
  ): Promise<Invite[]>;
  /** Deletes them, or marks them as delivered; their keys stay valid until `keysUntil`. */
  settle(
    tokens: readonly string[],
    how: { readonly keep: boolean; readonly now: number; readonly keysUntil: number },
  ): Promise<void>;
  /** Notes an invitation whose mail is to go out; forgotten at that time unless confirmed. */
  prepare(token: string, publicKey: string, until: number): Promise<void>;
  /** Makes the invitation pending, and its key valid. */
  confirm(invite: Invite, publicKey: string, now: number): Promise<void>;
  /** Takes back what was prepared. */
  abandon(token: string): Promise<void>;
  /** Whose invitation it is, when it came, and whether it has been delivered. */
  find(
    token: string,
  ): Promise<{ sender: string; receivedAt: number | undefined; delivered: boolean } | undefined>;
  /**
   * Deletes pending invitations that no notice carries and that came before that time; their keys stay
   * valid until `keysUntil`. The number deleted.
   */
  deleteReceivedBefore(time: number, keysUntil: number, limit: number): Promise<number>;
}

/** What a bind owes to the homeserver of its user: to be told, the pending invitations included. */
export interface Notice {
  readonly id: number;
  readonly serverName: string;
  /** The association as JSON, not signed. */
  readonly association: string;
  readonly attempts: number;
}

export interface NewNotice {
  readonly id: number;
  readonly serverName: string;
  readonly association: string;
  readonly createdAt: number;
  /** Tokens of the invitations it carries; they are taken out of other notices. */
  readonly tokens: readonly string[];
}

/** A homeserver that one process delivers to. */
export interface ClaimedServer {
  readonly serverName: string;
  /** How many times in a row it has not taken anything. */
  readonly failures: number;
}

export interface Claim {
  /** The process. */
  readonly holder: string;
  /** Whether of those that have failed lately, or of the others. */
  readonly troubled: boolean;
  /** Whose turn came last, or first. */
  readonly newestFirst: boolean;
  readonly now: number;
  /** When the claim lapses unless renewed. */
  readonly until: number;
  readonly limit: number;
}

/**
 * The notices owed, by homeserver. Each homeserver is delivered to by one process at a time, which
 * claims it; a claim that is not renewed lapses.
 */
export interface OutboxStore {
  /** Notes what is owed, and that its homeserver has its turn. */
  add(notice: NewNotice): Promise<void>;
  /** Whether it is any homeserver's turn, of those in trouble or of the others. */
  hasDue(troubled: boolean, now: number): Promise<boolean>;
  /** Claims homeservers whose turn it is. In a transaction. */
  claim(claim: Claim): Promise<ClaimedServer[]>;
  /** Which of these claims still hold, and do so until then. */
  renew(holder: string, serverNames: readonly string[], until: number): Promise<Set<string>>;
  /** Gives the claim back; the homeserver has its next turn at that time. */
  release(
    server: ClaimedServer & { readonly holder: string; readonly dueAt: number },
  ): Promise<void>;
  /** Ends the claim on a homeserver that nothing is owed to any more. */
  forget(serverName: string, holder: string): Promise<void>;
  /** Notices to be tried now, those that wait longest first. */
  due(serverName: string, now: number, limit: number): Promise<Notice[]>;
  /** When the first of the homeserver's notices is to be tried; undefined when there is none. */
  nextAttempt(serverName: string): Promise<number | undefined>;
  /** The invitations that the notice carries, as far as they are still pending, the oldest first. */
  invitesOf(id: number): Promise<Invite[]>;
  remove(id: number): Promise<void>;
  postpone(id: number, attempts: number, until: number): Promise<void>;
  /** When the homeserver's oldest notice came; undefined when there is none. */
  oldest(serverName: string): Promise<number | undefined>;
  /** Removes notices that old, their invitations stay pending; the number removed. */
  removeCreatedBefore(serverName: string, time: number, limit: number): Promise<number>;
  /** How many notices there are, counted up to the limit, and when the oldest came. */
  measure(limit: number): Promise<{ size: number; oldest: number | undefined }>;
}
