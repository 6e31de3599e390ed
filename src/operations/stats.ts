import type { Counts } from '../storage/stores/index.ts';
import type { Operation } from './operation.ts';
import { time } from './text.ts';

/** How much of everything there is. */
export const stats: Operation<Counts> = {
  resource: 'stats',
  kind: 'overview',
  summary: 'How many associations, sessions, invitations and accounts there are',
  run: (_input, { storage, keys }) => storage.stores.overview.counts(keys.serverName),
  text: ({ associations, sessions, invitations, accounts, tokens, owed }) =>
    [
      ...associations.map(
        ({ medium, own, ofPeers }) =>
          `associations (${medium})  ${own} of this server, ${ofPeers} of peers`,
      ),
      ...(associations.length === 0 ? ['associations  none'] : []),
      `validation sessions  ${sessions.all}, ${sessions.validated} of them validated`,
      `pending invitations  ${invitations.pending}${invitations.pending > 0 ? `, the oldest of ${time(invitations.oldest)}` : ''}`,
      `accounts  ${accounts}, with ${tokens} access tokens`,
      `owed to homeservers  ${owed.notices} notices to ${owed.homeservers} homeservers, ${owed.refused} refused once${owed.notices > 0 ? `, the oldest of ${time(owed.oldest)}` : ''}`,
    ].join('\n'),
};
