import {
  createInvitationTally,
  GROUPINGS,
  type Grouping,
} from '../identity/invitations/invitation-tally.ts';
import {
  aBoolean,
  aList,
  anInteger,
  anObject,
  aString,
  aWordOf,
  type Described,
  describedAs,
  named,
} from '../model/json-schema.ts';
import { PAGE_OPTIONS, readLimit } from './input.ts';
import { InputError, type Operation } from './operation.ts';
import { lines, plain, time } from './text.ts';

const GROUP = named(
  'InvitationGroup',
  anObject({ of: aString, pending: anInteger }, { oldest: anInteger }),
);

const GROUPS = anObject({
  by: aWordOf(...GROUPINGS),
  pending: describedAs('All that are waiting', anInteger),
  left_out: describedAs('Those of groups that are not among these', anInteger),
  exact: describedAs('Where there are very many groups, the numbers may be too small', aBoolean),
  groups: aList(GROUP),
});
type Groups = Described<typeof GROUPS>;

const isGrouping = (text: string): text is Grouping => GROUPINGS.some((one) => one === text);

/** How many invitations are waiting, by what they have in common. */
export const groupInvites: Operation<Groups> = {
  resource: 'invites',
  action: 'by',
  kind: 'person',
  summary:
    'How many invitations are waiting, by age (up to a day, week, month, quarter), inviter, homeserver or room: the largest groups',
  argument: { name: 'GROUPING', about: GROUPINGS.join(', '), required: true },
  options: { limit: PAGE_OPTIONS.limit },
  result: GROUPS,
  async run(input, { storage, clock }) {
    const { argument: by = '' } = input;
    if (!isGrouping(by)) throw new InputError(`it must be one of ${GROUPINGS.join(', ')}`);
    const limit = readLimit(input);
    const tally = createInvitationTally(by, clock.now());
    await storage.stores.overview.eachInvite({ since: 0 }, async (some) => tally.see(some));
    const groups = tally.largest(limit);
    const shown = groups.reduce((sum, { pending }) => sum + pending, 0);
    const { pending, isExact: exact } = tally;
    return { by, pending, left_out: pending - shown, exact, groups };
  },
  text: ({ groups, left_out: leftOut }) =>
    [
      lines(
        groups,
        ({ of, pending, oldest }) => `${pending}  ${plain(of)}  the oldest of ${time(oldest)}`,
        'none',
      ),
      ...(leftOut > 0 ? [`${leftOut}  of others`] : []),
    ].join('\n'),
};
