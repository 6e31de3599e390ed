import type { InviteRow } from '../storage/stores/index.ts';
import { PAGE_OPTIONS, parseAddress, parseSubject, readPage } from './input.ts';
import type { Operation } from './operation.ts';
import { lines, plain, time } from './text.ts';

/** Looked at in one transaction. */
const AT_ONCE = 100;

const stateOf = ({ deliveredAt, notice }: InviteRow) => {
  if (deliveredAt !== undefined) return `delivered ${time(deliveredAt)}`;
  return notice === undefined ? 'pending' : 'being delivered';
};

const shown = (invite: InviteRow) =>
  `${invite.id}  ${invite.medium} ${plain(invite.address)}  by ${plain(invite.sender)} to ${plain(invite.roomId)}  ${time(invite.receivedAt)}  ${stateOf(invite)}`;

/** What is kept of invitations; the token, which proves whose they are, is nobody's business. */
export type SeenInvite = Omit<InviteRow, 'token'>;
const seen = ({ token: _token, ...invite }: InviteRow): SeenInvite => invite;

/** Invitations that are kept for an address until its owner turns up. */
export const listInvites: Operation<readonly SeenInvite[]> = {
  resource: 'invites',
  action: 'list',
  kind: 'person',
  summary: 'The invitations that are kept: of all, to an address, or of a user',
  argument: { name: 'ADDRESS|MXID', about: 'To whom, or by whom', required: false },
  options: PAGE_OPTIONS,
  async run(input, { storage }) {
    const { argument } = input;
    const subject = argument === undefined ? undefined : parseSubject(argument);
    const which = {
      ...(subject?.kind === 'address' && { address: subject.address }),
      ...(subject?.kind === 'user' && { sender: subject.mxid }),
    };
    return (await storage.stores.overview.invites(which, readPage(input))).map(seen);
  },
  text: (all) => lines(all, (invite) => shown({ ...invite, token: '' }), 'none'),
};

/** Takes back what was invited, before its owner turns up. */
export const cancelInvite: Operation<{ readonly cancelled: number }> = {
  resource: 'invites',
  action: 'cancel',
  kind: 'change',
  summary: 'Deletes the pending invitations to an address; their keys are valid no more',
  argument: { name: 'ADDRESS', about: 'To whom', required: true },
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
