import { aList, anInteger, anObject, aString, type Described } from '../model/json-schema.ts';
import type { Operation } from './operation.ts';
import { time } from './text.ts';

/** How much there is of everything; times in milliseconds. */
const COUNTS = anObject({
  associations: aList(anObject({ medium: aString, own: anInteger, of_peers: anInteger })),
  sessions: anObject({ all: anInteger, validated: anInteger }),
  invitations: anObject({ pending: anInteger }, { oldest: anInteger }),
  accounts: anInteger,
  tokens: anInteger,
  owed: anObject(
    { notices: anInteger, refused: anInteger, homeservers: anInteger },
    { oldest: anInteger },
  ),
});

/** How much of everything there is. */
export const stats: Operation<Described<typeof COUNTS>> = {
  resource: 'stats',
  kind: 'overview',
  summary: 'How many associations, sessions, invitations and accounts there are',
  result: COUNTS,
  async run(_input, { storage, keys }) {
    const { associations, ...counts } = await storage.stores.overview.counts(keys.serverName);
    return {
      associations: associations.map(({ medium, own, ofPeers }) => ({
        medium,
        own,
        of_peers: ofPeers,
      })),
      ...counts,
    };
  },
  text: ({ associations, sessions, invitations, accounts, tokens, owed }) =>
    [
      ...associations.map(
        ({ medium, own, of_peers: ofPeers }) =>
          `associations (${medium})  ${own} of this server, ${ofPeers} of peers`,
      ),
      ...(associations.length === 0 ? ['associations  none'] : []),
      `validation sessions  ${sessions.all}, ${sessions.validated} of them validated`,
      `pending invitations  ${invitations.pending}${invitations.pending > 0 ? `, the oldest of ${time(invitations.oldest)}` : ''}`,
      `accounts  ${accounts}, with ${tokens} access tokens`,
      `owed to homeservers  ${owed.notices} notices to ${owed.homeservers} homeservers, ${owed.refused} refused once${owed.notices > 0 ? `, the oldest of ${time(owed.oldest)}` : ''}`,
    ].join('\n'),
};
