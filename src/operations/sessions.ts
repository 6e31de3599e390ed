import {
  aBoolean,
  aList,
  anInteger,
  anObject,
  aString,
  type Described,
} from '../model/json-schema.ts';
import { PAGE_OPTIONS, parseAddress, readId, readPage } from './input.ts';
import type { Operation } from './operation.ts';
import { lines, plain, time } from './text.ts';

/** A session; times in milliseconds. */
const SESSION = anObject({
  id: anInteger,
  medium: aString,
  address: aString,
  validated: aBoolean,
  modified_at: anInteger,
  sent_attempt: anInteger,
  wrong_guesses: anInteger,
  binds: anInteger,
});

/** Validation sessions, by which addresses are proven; the codes and client secrets are nobody's business. */
export const listSessions: Operation<readonly Described<typeof SESSION>[]> = {
  resource: 'sessions',
  about: 'Validation sessions',
  action: 'list',
  kind: 'person',
  summary: 'The validation sessions: of all, or of an address',
  argument: { name: 'ADDRESS', about: 'An email address or a phone number', required: false },
  options: PAGE_OPTIONS,
  result: aList(SESSION),
  async run(input, { storage }) {
    const address = input.argument === undefined ? undefined : parseAddress(input.argument);
    const rows = await storage.stores.overview.sessions(address, readPage(input));
    return rows.map(({ modifiedAt, sentAttempt, wrongGuesses, binds, ...session }) => ({
      ...session,
      modified_at: modifiedAt,
      sent_attempt: sentAttempt,
      wrong_guesses: wrongGuesses,
      binds,
    }));
  },
  text: (all) =>
    lines(
      all,
      (one) =>
        `${one.id}  ${one.medium} ${plain(one.address)}  ${one.validated ? 'validated' : 'not validated'} ${time(one.modified_at)}  ${one.wrong_guesses} wrong codes, ${one.binds} binds`,
      'none',
    ),
};

/** Ends a session: its code and its link work no more. */
export const deleteSession: Operation<{ readonly deleted: boolean }> = {
  resource: 'sessions',
  action: 'delete',
  kind: 'change',
  summary: 'Deletes a validation session: its codes work no more, and nothing can be bound by it',
  argument: { name: 'ID', about: 'As sessions list shows it', required: true },
  result: anObject({ deleted: aBoolean }),
  async run(input, { storage }) {
    const id = readId(input);
    const deleted = await storage.transaction((stores) => stores.overview.deleteSession(id));
    return { deleted };
  },
  text: ({ deleted }) => (deleted ? 'deleted' : 'there is no such session'),
  found: ({ deleted }) => deleted,
};
