import { parseMxid } from '../model/mxid.ts';
import type { AccountRow } from '../storage/stores/index.ts';
import { PAGE_OPTIONS, readLimit } from './input.ts';
import { InputError, type Operation } from './operation.ts';
import { lines, plain, time } from './text.ts';

/** Who has registered here. */
export const listAccounts: Operation<readonly AccountRow[]> = {
  resource: 'accounts',
  action: 'list',
  kind: 'person',
  summary: 'The accounts, in the order of their user ids',
  options: {
    limit: PAGE_OPTIONS.limit,
    after: { name: 'MXID', about: 'Only those behind that user id: the last of the page before' },
  },
  run: (input, { storage }) =>
    storage.stores.overview.accounts(input.options['after'] ?? '', readLimit(input)),
  text: (all) =>
    lines(
      all,
      (one) =>
        `${plain(one.userId)}  since ${time(one.createdAt)}, ${one.tokens} access tokens${one.consentVersion === undefined ? '' : `, terms ${plain(one.consentVersion)}`}`,
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
  async run({ argument = '' }, { storage }) {
    if (parseMxid(argument) === undefined) {
      throw new InputError(`${JSON.stringify(argument)} is no Matrix user id`);
    }
    return { tokens: await storage.transaction((stores) => stores.overview.logOut(argument)) };
  },
  text: ({ tokens }) => `${tokens} access tokens ended`,
  found: ({ tokens }) => tokens > 0,
};
