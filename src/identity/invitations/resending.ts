import type { Clock } from '../../platform/clock.ts';
import type { InviteRow, Storage, Stores } from '../../storage/stores/index.ts';
import type { ServerKeys } from '../server-keys.ts';
import { openedMail } from './invitation-mail.ts';
import type { InvitationMail } from './invitation-text.ts';
import { refusedSince } from './refusal-links.ts';

/**
 * Hands the mail of an invitation to the relay, and remembers that an operator wanted it.
 * @returns why it was not taken; undefined: it was
 */
export type SendAgain = (mail: InvitationMail, sender: string) => Promise<string | undefined>;

export interface ResendingDependencies {
  readonly storage: Pick<Storage, 'logTransaction'>;
  readonly keys: Pick<ServerKeys, 'open'>;
  readonly clock: Clock;
  readonly send: SendAgain;
  /** The URL of `sign-ed25519`, for the mail. */
  readonly signUrl: string;
  /** Milliseconds that an invitation is pending at most; 0: for ever. */
  readonly expiry: number;
}

/** Why a mail did not go out once more: it is not pending (any more), not known, too much, not wanted by its owner, or not taken by the relay. */
export interface NotResent {
  readonly reason: 'not_pending' | 'unknown' | 'limited' | 'not_wanted' | 'not_sent';
  /** In words. */
  readonly message: string;
}

/** So many mails go out once more to one address within so long (ms), by commands and servers together. */
const ALLOWED = { times: 5, within: 60 * 60 * 1000 };

const NOT_PENDING: NotResent = {
  reason: 'not_pending',
  message: 'it is pending no more: delivered, cancelled, expired, or its address is bound',
};
const NOT_KEPT: NotResent = {
  reason: 'unknown',
  message:
    'what its mail said is not known: the invitation came by Sydent or an earlier version, or said more than is kept',
};
const NOT_WANTED: NotResent = {
  reason: 'not_wanted',
  message: 'the owner of the address refuses invitations by mail: invites allow ADDRESS ends that',
};
const OTHER_KEY: NotResent = {
  reason: 'unknown',
  message:
    'what its mail said cannot be read: it was sealed by a signing key that is not configured any more (ed25519.old_signing_keys)',
};

/** Whether it waits for somebody to turn up. */
export const isPending = (
  { deliveredAt, notice, receivedAt }: InviteRow,
  expiry: number,
  now: number,
): boolean =>
  deliveredAt === undefined &&
  notice === undefined &&
  (expiry === 0 || receivedAt === undefined || receivedAt + expiry > now);

/** The invitation of that id, whatever became of it. */
export async function inviteOf(
  { overview }: Pick<Stores, 'overview'>,
  id: number,
): Promise<InviteRow | undefined> {
  const [found] = await overview.invites({}, { after: id - 1, limit: 1 });
  return found?.id === id ? found : undefined;
}

const isMail = (claim: InvitationMail | NotResent): claim is InvitationMail => 'values' in claim;

/**
 * Sends the mail of a pending invitation once more: the same words and the same link.
 * @returns why not; undefined: the relay has it
 */
export async function resendInvitation(
  deps: ResendingDependencies,
  { id, sender }: Pick<InviteRow, 'id' | 'sender'>,
): Promise<NotResent | undefined> {
  const { storage, keys, clock, signUrl, expiry } = deps;

  /** The mail, counted: under the lock of the log no two count at once, and what is delivered meanwhile is seen. */
  const claim = await storage.logTransaction(
    async (stores): Promise<InvitationMail | NotResent> => {
      const { overview, invitations } = stores;
      const now = clock.now();
      const invite = await inviteOf({ overview }, id);
      if (invite === undefined || !isPending(invite, expiry, now)) return NOT_PENDING;
      const { token, address } = invite;
      if ((await refusedSince(stores, address)) !== undefined) return NOT_WANTED;
      const kept = await invitations.mail(token);
      if (kept === undefined) return NOT_KEPT;
      const mail = openedMail(kept, token, keys, signUrl);
      if (mail === undefined) return OTHER_KEY;
      const isLate = (time: number) => time <= now && time > now - ALLOWED.within;
      const before = await invitations.resentTo(address);
      const times = before.flatMap((one) => one.times).filter(isLate);
      if (times.length >= ALLOWED.times) {
        const minutes = Math.ceil((Math.min(...times) + ALLOWED.within - now) / 60_000);
        const message = `${ALLOWED.times} mails an hour may be sent once more to an address; try again in ${minutes} minutes`;
        return { reason: 'limited', message };
      }
      const own = before.find((one) => one.token === token)?.times.filter(isLate) ?? [];
      await invitations.noteResent(token, [...own, now]);
      return mail;
    },
  );
  if (!isMail(claim)) return claim;
  const message = await deps.send(claim, sender);
  return message === undefined ? undefined : { reason: 'not_sent', message };
}
