import { currentMxid } from '../identity/associations/lookup.ts';
import {
  inviteOf,
  isPending,
  type NotResent,
  resendInvitation,
} from '../identity/invitations/resending.ts';
import {
  aBoolean,
  aList,
  anInteger,
  anObject,
  aString,
  aWordOf,
  type Described,
  type Schema,
} from '../model/json-schema.ts';
import type { InviteRow } from '../storage/stores/index.ts';
import { PAGE_OPTIONS, parseAddress, parseSubject, readId, readPage } from './input.ts';
import {
  type Operation,
  type OperationContext,
  type OperationInput,
  StateError,
} from './operation.ts';
import { lines, plain, time } from './text.ts';

/** Looked at in one transaction. */
const AT_ONCE = 100;

const INVITE_MEMBERS = {
  id: anInteger,
  medium: aString,
  address: aString,
  room_id: aString,
  sender: aString,
};
const INVITE_TIMES = { received_at: anInteger, delivered_at: anInteger, notice: anInteger };

/** What is kept of an invitation; the token, which proves whose it is, is nobody's business. Times in milliseconds. */
const INVITE = anObject(INVITE_MEMBERS, INVITE_TIMES);
export type SeenInvite = Described<typeof INVITE>;

const SHOWN = anObject(INVITE_MEMBERS, {
  ...INVITE_TIMES,
  expires_at: anInteger,
  bound_to: aString,
});

const seen = (row: InviteRow): SeenInvite => ({
  id: row.id,
  medium: row.medium,
  address: row.address,
  room_id: row.roomId,
  sender: row.sender,
  received_at: row.receivedAt,
  delivered_at: row.deliveredAt,
  notice: row.notice,
});

const stateOf = ({ delivered_at: deliveredAt, notice }: SeenInvite) => {
  if (deliveredAt !== undefined) return `delivered ${time(deliveredAt)}`;
  return notice === undefined ? 'pending' : 'being delivered';
};

const shown = (invite: SeenInvite) =>
  `${invite.id}  ${invite.medium} ${plain(invite.address)}  by ${plain(invite.sender)} to ${plain(invite.room_id)}  ${time(invite.received_at)}  ${stateOf(invite)}`;

/** Invitations that are kept for an address until its owner turns up. */
export const listInvites: Operation<readonly SeenInvite[]> = {
  resource: 'invites',
  about: 'Invitations that wait for somebody to prove that an address is theirs',
  action: 'list',
  kind: 'person',
  summary: 'The invitations that are kept: of all, to an address, or of a user',
  argument: { name: 'ADDRESS|MXID', about: 'To whom, or by whom', required: false },
  options: PAGE_OPTIONS,
  result: aList(INVITE),
  async run(input, { storage }) {
    const { argument } = input;
    const subject = argument === undefined ? undefined : parseSubject(argument);
    const which = {
      ...(subject?.kind === 'address' && { address: subject.address }),
      ...(subject?.kind === 'user' && { sender: subject.mxid }),
    };
    return (await storage.stores.overview.invites(which, readPage(input))).map(seen);
  },
  text: (all) => lines(all, shown, 'none'),
};

const ID = { name: 'ID', about: 'As invites list shows it', required: true } as const;

/** One invitation, with what is to become of it; times in milliseconds. */
export interface ShownInvite extends SeenInvite {
  /** When it is given up where nobody turns up; undefined: never, or it is delivered. */
  readonly expires_at: number | undefined;
  /** To whom its address is bound by now: whose homeserver is told, or was. */
  readonly bound_to: string | undefined;
}

/** What is known of an invitation. */
export const showInvite: Operation<ShownInvite | null> = {
  resource: 'invites',
  action: 'show',
  kind: 'person',
  summary:
    'One invitation: its state, until when it is kept, and to whom its address is bound by now',
  argument: ID,
  result: SHOWN as Schema<ShownInvite | null>,
  async run(input, { storage, config, clock }) {
    const invite = await inviteOf(storage.stores, readId(input));
    if (invite === undefined) return null;
    const { medium, address, receivedAt, deliveredAt } = invite;
    const { expiry } = config.email.invites;
    const isKept = deliveredAt !== undefined || receivedAt === undefined || expiry === 0;
    return {
      ...seen(invite),
      expires_at: isKept ? undefined : receivedAt + expiry,
      bound_to: await currentMxid(storage.stores.lookups, medium, address, clock.latest()),
    };
  },
  text: (invite) =>
    invite === null
      ? 'there is no such invitation'
      : [
          shown(invite),
          `kept until  ${invite.expires_at === undefined ? 'it is cancelled' : time(invite.expires_at)}`,
          `bound to  ${invite.bound_to === undefined ? 'nobody' : plain(invite.bound_to)}`,
        ].join('\n'),
  found: (invite) => invite !== null,
};

/** Gives one up, as its time would. */
export const expireInvite: Operation<{ readonly expired: boolean }> = {
  resource: 'invites',
  action: 'expire',
  kind: 'change',
  summary:
    'Gives up one pending invitation now, as its time would; its key stays valid for the usual grace',
  argument: ID,
  result: anObject({ expired: aBoolean }),
  async run(input, { storage, config, clock }) {
    const id = readId(input);
    const keysUntil = clock.now() + config.email.invites.keyGrace;
    const expired = await storage.logTransaction(async (stores) => {
      const invite = await inviteOf(stores, id);
      const isPending = invite?.deliveredAt === undefined && invite?.notice === undefined;
      if (invite === undefined || !isPending) return false;
      await stores.invitations.remove([invite.token], keysUntil);
      return true;
    });
    return { expired };
  },
  text: ({ expired }) => (expired ? 'given up' : 'there is no such pending invitation'),
  found: ({ expired }) => expired,
};

/** Takes back what was invited, before its owner turns up. */
export const cancelInvite: Operation<{ readonly cancelled: number }> = {
  resource: 'invites',
  action: 'cancel',
  kind: 'change',
  summary: 'Deletes the pending invitations to an address; their keys are valid no more',
  argument: { name: 'ADDRESS', about: 'To whom', required: true },
  result: anObject({ cancelled: anInteger }),
  async run({ argument = '' }, { storage, clock }) {
    const address = parseAddress(argument);
    let [after, cancelled]: [number | undefined, number] = [0, 0];
    while (after !== undefined) {
      const page = { after, limit: AT_ONCE };
      const done = await storage.logTransaction(async ({ overview, invitations }) => {
        const found = await overview.invites({ address }, page);
        const tokens = found
          .filter(({ deliveredAt, notice }) => deliveredAt === undefined && notice === undefined)
          .map(({ token }) => token);
        if (tokens.length > 0) await invitations.remove(tokens, clock.now());
        return { count: tokens.length, last: found.at(-1)?.id };
      });
      cancelled += done.count;
      after = done.last;
    }
    return { cancelled };
  },
  text: ({ cancelled }) => `${cancelled} cancelled`,
  found: ({ cancelled }) => cancelled > 0,
};

const RESENT = anObject({
  sent: aList(anInteger),
  not_sent: aList(
    anObject({
      id: anInteger,
      reason: aWordOf('not_pending', 'unknown', 'limited', 'not_wanted', 'not_sent'),
      message: aString,
    }),
  ),
});
type Resent = Described<typeof RESENT>;

/** Those of that id or to that address that are pending: first whose mails were not sent once more lately. */
async function pendingAt(
  input: OperationInput,
  { storage, config, clock }: OperationContext,
): Promise<InviteRow[]> {
  const { overview, invitations } = storage.stores;
  const now = clock.now();
  const isOpen = (invite: InviteRow) => isPending(invite, config.email.invites.expiry, now);
  const { argument = '' } = input;
  if (/^\d+$/.test(argument)) {
    const invite = await inviteOf({ overview }, readId(input));
    return invite !== undefined && isOpen(invite) ? [invite] : [];
  }
  const address = parseAddress(argument);
  const resent = await invitations.resentTo(address);
  const last = new Map(resent.map(({ token, times }) => [token, Math.max(0, ...times)]));
  const lastOf = ({ token }: InviteRow) => last.get(token) ?? 0;
  const found = await overview.invites({ address }, { after: 0, limit: AT_ONCE });
  return found.filter(isOpen).sort((a, b) => lastOf(a) - lastOf(b));
}

/** Sends the mails of invitations once more. */
export const resendInvite: Operation<Resent> = {
  resource: 'invites',
  action: 'resend',
  kind: 'change',
  needsState: true,
  summary:
    'Sends the mail of a pending invitation once more, or of all to an address; 5 an hour to an address at most',
  argument: {
    name: 'ID|ADDRESS',
    about: 'As invites list shows it, or to whom',
    required: true,
  },
  result: RESENT,
  async run(input, context) {
    const { storage, keys, clock, signUrl, config } = context;
    const { expiry } = config.email.invites;
    const send = context.sendInvitationAgain;
    const deps = { storage, keys, clock, send, signUrl, expiry };
    const sent: number[] = [];
    const failed: ({ readonly id: number } & NotResent)[] = [];
    for (const invite of await pendingAt(input, context)) {
      const why = await resendInvitation(deps, invite);
      if (why === undefined) sent.push(invite.id);
      else failed.push({ id: invite.id, ...why });
    }
    const [first] = failed;
    if (
      first !== undefined &&
      sent.length === 0 &&
      failed.every((one) => one.reason === 'unknown')
    ) {
      throw new StateError(`Not sent: ${first.message}`);
    }
    return { sent, not_sent: failed };
  },
  text: ({ sent, not_sent: failed }) =>
    [
      ...sent.map((id) => `${id}  sent`),
      ...failed.map(({ id, message }) => `${id}  not sent: ${plain(message)}`),
    ].join('\n') || 'there is no such pending invitation',
  found: ({ sent, not_sent: failed }) => sent.length + failed.length > 0,
  succeeded: ({ not_sent: failed }) => failed.length === 0,
};
