import { currentMxid } from '../identity/associations/lookup.ts';
import {
  aBoolean,
  aList,
  anInteger,
  anObject,
  aString,
  type Described,
  type Schema,
} from '../model/json-schema.ts';
import type { InviteRow, Stores } from '../storage/stores/index.ts';
import { PAGE_OPTIONS, parseAddress, parseSubject, readId, readPage } from './input.ts';
import type { Operation } from './operation.ts';
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

/** The invitation of that id, whatever became of it. */
async function inviteOf(
  { overview }: Pick<Stores, 'overview'>,
  id: number,
): Promise<InviteRow | undefined> {
  const [found] = await overview.invites({}, { after: id - 1, limit: 1 });
  return found?.id === id ? found : undefined;
}

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
    const invite = await inviteOf(storage.stores, readId('the id', input));
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
    const id = readId('the id', input);
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
