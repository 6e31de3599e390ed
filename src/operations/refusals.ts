import { allowAgain, refusedSince } from '../identity/invitations/refusal-links.ts';
import { aBoolean, anInteger, anObject, type Described } from '../model/json-schema.ts';
import { parseEmailAddress } from './input.ts';
import type { Operation } from './operation.ts';
import { time } from './text.ts';

const REFUSALS = anObject({ mailboxes: anInteger }, { refused: aBoolean, refused_at: anInteger });

/** How many mailboxes get no invitations, and whether that one does; times in milliseconds. */
export const showRefusals: Operation<Described<typeof REFUSALS>> = {
  resource: 'invites',
  action: 'refusals',
  kind: 'person',
  summary:
    'How many owners of addresses have refused invitations by mail, and whether that of one has',
  argument: { name: 'ADDRESS', about: 'An email address', required: false },
  result: REFUSALS,
  async run({ argument }, { storage }) {
    const { stores } = storage;
    const address = argument === undefined ? undefined : parseEmailAddress(argument);
    const mailboxes = await stores.invitationRefusals.count();
    if (address === undefined) return { mailboxes };
    const since = await refusedSince(stores, address);
    return { mailboxes, refused: since !== undefined, refused_at: since };
  },
  text: ({ mailboxes, refused, refused_at: since }) =>
    [
      `${mailboxes} mailboxes get no invitations, as their owners want`,
      ...(refused === undefined ? [] : [refused ? `refused ${time(since)}` : 'not refused']),
    ].join('\n'),
};

/** Takes back for somebody what they, or somebody with their mail, said. */
export const allowInvites: Operation<{ readonly allowed: boolean }> = {
  resource: 'invites',
  action: 'allow',
  kind: 'change',
  summary: 'Has invitations mailed again to an address whose owner had refused them',
  argument: { name: 'ADDRESS', about: 'An email address', required: true },
  result: anObject({ allowed: aBoolean }),
  run: async ({ argument = '' }, { storage }) => ({
    allowed: await allowAgain(storage.stores, parseEmailAddress(argument)),
  }),
  text: ({ allowed }) => (allowed ? 'invitations are mailed again' : 'they were not refused'),
  found: ({ allowed }) => allowed,
};
