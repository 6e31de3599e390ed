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
  /** Makes the invitation pending, and its key valid. */
  confirm(invite: NewInvite, publicKey: string, now: number): Promise<void>;
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
