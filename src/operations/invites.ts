import type { InviteRow } from '../storage/stores/index.ts';
import { PAGE_OPTIONS, parseSubject, readPage } from './input.ts';
import type { Operation } from './operation.ts';
import { lines, plain, time } from './text.ts';

/** Milliseconds that a cancelled invitation's key stays valid: none. */
const NOT_LONGER = 0;

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
  summary: 'Deletes the pending invitations to an address; their keys are valid no more',
  argument: { name: 'ADDRESS', about: 'To whom', required: true },
  async run({ argument = '' }, { storage, clock }) {
    const subject = parseSubject(argument);
    const address = subject.kind === 'address' ? subject.address : argument;
    let cancelled = 0;
    for (;;) {
      const removed = await storage.logTransaction(async (stores) => {
        const page = { after: 0, limit: 100 };
        const found = await stores.overview.invites({ address }, page);
        const pending = found.filter(
          ({ deliveredAt, notice }) => deliveredAt === undefined && notice === undefined,
        );
        const tokens = pending.map(({ token }) => token);
        if (tokens.length > 0) await stores.invitations.remove(tokens, clock.now() + NOT_LONGER);
        return tokens.length;
      });
      cancelled += removed;
      if (removed === 0) return { cancelled };
    }
  },
  text: ({ cancelled }) => `${cancelled} cancelled`,
  found: ({ cancelled }) => cancelled > 0,
};
