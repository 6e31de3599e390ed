/** An invitation of an address that was not bound then. */
export interface Invite {
  readonly medium: string;
  readonly address: string;
  readonly roomId: string;
  readonly sender: string;
  readonly token: string;
}

/** An invitation that is to be pending. */
export interface NewInvite extends Invite {
  /** Whether it came by v1, where anybody may claim to be the sender. */
  readonly isV1: boolean;
}

/** The mail of a pending invitation, as it is kept. */
export interface KeptMail {
  /** What it says, as JSON. */
  readonly shown: string;
  /** What of it is secret. */
  readonly sealed: string;
}

/** Which pending invitations; those from before they were counted are none of them. */
export interface PendingOf {
  readonly address?: string;
  readonly sender?: string;
  readonly isV1?: boolean;
  /** Those that came before it have expired. */
  readonly since: number;
}

export interface PendingInvite extends Invite {
  readonly receivedAt: number;
}

export interface InvitationStore {
  /** Whether there are so many of these, or more. */
  hasPending(which: PendingOf, count: number): Promise<boolean>;
  /** The oldest of these that no notice carries. */
  oldestPending(which: PendingOf): Promise<PendingInvite | undefined>;
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
  /**
   * Notes that homeservers took them; their keys stay valid until `keysUntil`.
   * @param keep whether they stay in the table, as delivered
   */
  markDelivered(
    tokens: readonly string[],
    how: { readonly keep: boolean; readonly now: number; readonly keysUntil: number },
  ): Promise<void>;
  /** Deletes them, though nobody took them; their keys stay valid until then. */
  remove(tokens: readonly string[], keysUntil: number): Promise<void>;
  /** Notes an invitation whose mail is to go out; forgotten at that time unless confirmed. */
  prepare(token: string, publicKey: string, until: number): Promise<void>;
  /**
   * Makes the invitation pending, and its key valid.
   * @param mail kept until it is pending no more
   */
  confirm(
    invite: NewInvite,
    publicKey: string,
    now: number,
    mail: KeptMail | undefined,
  ): Promise<void>;
  /** Its mail, while it is pending; undefined where that was not kept. */
  mail(token: string): Promise<KeptMail | undefined>;
  /** When mails of pending invitations to that address were sent once more, as far as that is remembered. */
  resentTo(address: string): Promise<{ readonly token: string; readonly times: number[] }[]>;
  /** Remembers when a mail was sent once more. */
  noteResent(token: string, times: readonly number[]): Promise<void>;
  /** Of the mails behind that token, so many: those whose invitation is pending no more. */
  strayMails(
    after: string,
    limit: number,
  ): Promise<{ readonly stray: string[]; readonly next: string | undefined }>;
  deleteMails(tokens: readonly string[]): Promise<void>;
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
