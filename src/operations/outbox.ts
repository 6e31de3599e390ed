import {
  aBoolean,
  aList,
  anInteger,
  anObject,
  aString,
  type Described,
} from '../model/json-schema.ts';
import { PAGE_OPTIONS, readId, readPage } from './input.ts';
import { InputError, type Operation } from './operation.ts';
import { lines, plain, time } from './text.ts';

const HOMESERVER = { name: 'HOMESERVER', about: 'Its server name' } as const;

/** A notice that is owed; times in milliseconds. */
const OWED = anObject(
  {
    id: anInteger,
    homeserver: aString,
    address: aString,
    created_at: anInteger,
    attempts: anInteger,
    next_attempt_at: anInteger,
  },
  { refused_at: anInteger, last_failure: anObject({ at: anInteger, reason: aString }) },
);

/** What homeservers are to be told of bindings, and have not taken yet. */
export const listOutbox: Operation<readonly Described<typeof OWED>[]> = {
  resource: 'outbox',
  about: 'What homeservers are still to be told of bindings',
  action: 'list',
  kind: 'person',
  summary: 'What homeservers are still owed: all of them, or one',
  argument: { ...HOMESERVER, required: false },
  options: PAGE_OPTIONS,
  result: aList(OWED),
  async run(input, { storage }) {
    const { overview } = storage.stores;
    const rows = await overview.owed(input.argument?.toLowerCase(), readPage(input));
    return rows.map(({ id, homeserver, address, attempts, failure, ...times }) => ({
      id,
      homeserver,
      address,
      created_at: times.createdAt,
      attempts,
      next_attempt_at: times.nextAttemptAt,
      refused_at: times.refusedAt,
      last_failure: failure,
    }));
  },
  text: (all) =>
    lines(
      all,
      (one) =>
        `${one.id}  ${plain(one.homeserver)}: ${plain(one.address)} was bound ${time(one.created_at)}  ${one.attempts} attempts, next ${time(one.next_attempt_at)}${one.refused_at === undefined ? '' : `, refused since ${time(one.refused_at)}`}${one.last_failure === undefined ? '' : `  ${time(one.last_failure.at)} ${plain(one.last_failure.reason)}`}`,
      'nothing is owed',
    ),
};

/** Tells a homeserver at once, and not when its turn would come. */
export const retryOutbox: Operation<{ readonly retried: boolean }> = {
  resource: 'outbox',
  action: 'retry',
  kind: 'change',
  summary: 'Lets a running server tell a homeserver again now',
  argument: { ...HOMESERVER, required: true },
  result: anObject({ retried: aBoolean }),
  async run({ argument = '' }, { storage, clock }) {
    if (argument === '') throw new InputError('the homeserver is missing');
    const name = argument.toLowerCase();
    const retried = await storage.transaction((stores) =>
      stores.overview.retryNow(name, clock.now()),
    );
    return { retried };
  },
  text: ({ retried }) =>
    retried ? 'a running server tries within a second or two' : 'nothing is owed to it',
  found: ({ retried }) => retried,
};

/** Gives up telling a homeserver of one binding. */
export const dropOutbox: Operation<{ readonly dropped: boolean }> = {
  resource: 'outbox',
  action: 'drop',
  kind: 'change',
  summary: 'Gives up one notice that is owed; its invitations are pending again',
  argument: { name: 'ID', about: 'As outbox list shows it', required: true },
  result: anObject({ dropped: aBoolean }),
  async run(input, { storage }) {
    const id = readId(input);
    const dropped = await storage.logTransaction(async ({ onbindNotices }) => {
      if ((await onbindNotices.find(id)) === undefined) return false;
      await onbindNotices.remove([id]);
      return true;
    });
    return { dropped };
  },
  text: ({ dropped }) => (dropped ? 'given up' : 'there is no such notice'),
  found: ({ dropped }) => dropped,
};
