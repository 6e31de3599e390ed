/** Mailboxes to which no invitations are mailed, by keyed hashes alone. */
export interface InvitationRefusalStore {
  /** Where it is noted already, that stays. */
  add(mailboxHash: string, refusedAt: number): Promise<void>;
  /** When it was noted; undefined when it is not. */
  since(mailboxHash: string): Promise<number | undefined>;
  /** Whether it was there. */
  remove(mailboxHash: string): Promise<boolean>;
  count(): Promise<number>;
}
