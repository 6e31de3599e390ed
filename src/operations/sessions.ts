import type { SessionRow } from '../storage/stores/index.ts';
import { PAGE_OPTIONS, parseAddress, readId, readPage } from './input.ts';
import type { Operation } from './operation.ts';
import { lines, plain, time } from './text.ts';

/** Validation sessions, by which addresses are proven; the codes and client secrets are nobody's business. */
export const listSessions: Operation<readonly SessionRow[]> = {
  resource: 'sessions',
  action: 'list',
  kind: 'person',
  summary: 'The validation sessions: of all, or of an address',
  argument: { name: 'ADDRESS', about: 'An email address or a phone number', required: false },
  options: PAGE_OPTIONS,
  run: (input, { storage }) => {
    const address = input.argument === undefined ? undefined : parseAddress(input.argument);
    return storage.stores.overview.sessions(address, readPage(input));
  },
  text: (all) =>
    lines(
      all,
      (one) =>
        `${one.id}  ${one.medium} ${plain(one.address)}  ${one.validated ? 'validated' : 'not validated'} ${time(one.modifiedAt)}  ${one.wrongGuesses} wrong codes, ${one.binds} binds`,
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
  async run(input, { storage }) {
    const id = readId('the id', input);
    const deleted = await storage.transaction((stores) => stores.overview.deleteSession(id));
    return { deleted };
  },
  text: ({ deleted }) => (deleted ? 'deleted' : 'there is no such session'),
  found: ({ deleted }) => deleted,
};
