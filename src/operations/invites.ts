import { aList, anInteger, anObject, aString, type Described } from '../model/json-schema.ts';
import type { InviteRow } from '../storage/stores/index.ts';
import { PAGE_OPTIONS, parseAddress, parseSubject, readPage } from './input.ts';
import type { Operation } from './operation.ts';
import { lines, plain, time } from './text.ts';

/** Looked at in one transaction. */
const AT_ONCE = 100;

/** What is kept of an invitation; the token, which proves whose it is, is nobody's business. Times in milliseconds. */
const INVITE = anObject(
  { id: anInteger, medium: aString, address: aString, room_id: aString, sender: aString },
  { received_at: anInteger, delivered_at: anInteger, notice: anInteger },
);
export type SeenInvite = Described<typeof INVITE>;

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
