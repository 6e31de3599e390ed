import { aList, anInteger, anObject, aString, type Described } from '../model/json-schema.ts';
import { parseMxid } from '../model/mxid.ts';
import { PAGE_OPTIONS, readLimit } from './input.ts';
import { InputError, type Operation } from './operation.ts';
import { lines, plain, time } from './text.ts';

/** An account; times in milliseconds. */
const ACCOUNT = anObject(
  { user_id: aString, created_at: anInteger, tokens: anInteger },
  { consent_version: aString },
);
type SeenAccount = Described<typeof ACCOUNT>;

/** Who has registered here. */
export const listAccounts: Operation<readonly SeenAccount[]> = {
  resource: 'accounts',
  about: 'Who has registered',
  action: 'list',
  kind: 'person',
  summary: 'The accounts, in the order of their user ids',
  options: {
    limit: PAGE_OPTIONS.limit,
    after: { name: 'MXID', about: 'Only those behind that user id: the last of the page before' },
  },
  result: aList(ACCOUNT),
  cursor: ({ user_id: userId }: SeenAccount) => userId,
  async run(input, { storage }) {
    const after = input.options['after'] ?? '';
    const all = await storage.stores.overview.accounts(after, readLimit(input));
    return all.map(({ userId, createdAt, tokens, consentVersion }) => ({
      user_id: userId,
      created_at: createdAt,
      tokens,
      consent_version: consentVersion,
    }));
  },
  text: (all) =>
    lines(
      all,
      (one) =>
        `${plain(one.user_id)}  since ${time(one.created_at)}, ${one.tokens} access tokens${one.consent_version === undefined ? '' : `, terms ${plain(one.consent_version)}`}`,
      'none',
    ),
};

/** Ends all access tokens of a user. */
export const logOutAccount: Operation<{ readonly tokens: number }> = {
  resource: 'accounts',
  action: 'logout',
  kind: 'change',
  summary: 'Ends all access tokens of a user, on every server on this database at once',
  argument: { name: 'MXID', about: 'The Matrix user id', required: true },
  result: anObject({ tokens: anInteger }),
  async run({ argument = '' }, { storage }) {
    if (parseMxid(argument) === undefined) {
      throw new InputError(`${JSON.stringify(argument)} is no Matrix user id`);
    }
    return { tokens: await storage.transaction((stores) => stores.overview.logOut(argument)) };
  },
  text: ({ tokens }) => `${tokens} access tokens ended`,
  found: ({ tokens }) => tokens > 0,
};
