import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createAssociations } from '../../src/identity/associations/associations.ts';
import { createOnbindNotices } from '../../src/identity/invitations/onbind-notices.ts';
import { createServerKeys } from '../../src/identity/server-keys.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { openStorage } from '../../src/storage/open.ts';
import type { OpenTransaction, Storage } from '../../src/storage/stores/index.ts';
import { createDatabase, ENGINES, type TestDatabase } from '../support/databases.ts';
import { configOf } from '../support/earlier-database.ts';
import { TestClock } from '../support/server.ts';

const OUTSIDE = 'A query outside the transaction that is open';

describe.each(ENGINES)('a transaction on %s', (engine) => {
  let database: TestDatabase;
  let storage: Storage;

  beforeEach(async () => {
    database = await createDatabase(engine);
    storage = await openStorage(configOf(database), {
      logger: pino({ level: 'silent' }),
      clock: new TestClock(),
      random: secureRandom,
      serverName: 'id.test',
      pidFile: '',
    });
  });
  afterEach(async () => {
    await storage.close();
    await database.drop();
  });

  const note = ({ state }: Pick<OpenTransaction, 'state'>, value: string) =>
    state.set('noted', value);
  const noted = () => storage.stores.state.get('noted');

  test('is refused a query outside it, and is undone', async () => {
    const work = storage.transaction(async (stores) => {
      await note(stores, 'inside');
      await note(storage.stores, 'outside');
    });
    await expect(work).rejects.toThrow(OUTSIDE);
    expect(await noted()).toBeUndefined();
  });

  test('is refused another transaction in it', async () => {
    const work = storage.transaction(() => storage.transaction((stores) => note(stores, 'inner')));
    await expect(work).rejects.toThrow(OUTSIDE);
    expect(await noted()).toBeUndefined();
  });

  test('is refused a query by what it calls, however deep', async () => {
    const later = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return Promise.all([noted()]);
    };
    await expect(storage.transaction(() => later())).rejects.toThrow(OUTSIDE);
  });

  test('keeps nobody else from anything', async () => {
    const begun = Promise.withResolvers<void>();
    const ends = Promise.withResolvers<void>();
    const one = storage.transaction(async (stores) => {
      await note(stores, 'one');
      begun.resolve();
      await ends.promise;
    });
    await begun.promise;
    const read = noted();
    const two = storage.transaction((stores) => note(stores, 'two'));
    ends.resolve();
    await Promise.all([one, read, two]);
    expect(await noted()).toBe('two');
  });

  test('leaves what it began to go on when it is over', async () => {
    const over = Promise.withResolvers<void>();
    let left: Promise<unknown> = Promise.resolve();
    await storage.transaction(async (stores) => {
      await note(stores, 'kept');
      left = over.promise.then(noted);
    });
    over.resolve();
    expect(await left).toBe('kept');
  });

  test('has its steps done once it is committed, each once and in order, and outside it', async () => {
    const done: string[] = [];
    const first = () => void done.push('first');
    let seen: Promise<unknown> = Promise.resolve();
    await storage.transaction(async (stores) => {
      stores.onCommit(first);
      stores.onCommit(() => {
        done.push('second');
        seen = noted();
      });
      stores.onCommit(first);
      await note(stores, 'committed');
      expect(done).toEqual([]);
    });
    expect(done).toEqual(['first', 'second']);
    expect(await seen).toBe('committed');
  });

  test('and whatever else is committed, is read in the same turn of the event loop', async () => {
    const { accounts } = storage.stores;
    await storage.transaction((stores) => stores.accounts.addToken('@ada:hs.test', 'token', 1));
    let isSameTurn = true;
    setImmediate(() => {
      isSameTurn = false;
    });
    expect((await accounts.findToken(['token']))?.lastUsed).toBe(1);
    await accounts.touchToken('token', 2);
    expect((await accounts.findToken(['token']))?.lastUsed).toBe(2);
    if (engine === 'sqlite') expect(isSameTurn).toBe(true);
  });

  test('that changes nothing wakes nobody', async () => {
    const keys = createServerKeys('id.test', {
      signingKey: { version: '0', seed: secureRandom.bytes(32) },
      oldKeys: [],
      oldSigningKeys: [],
    });
    const parts = { storage, keys, clock: new TestClock(), random: secureRandom };
    const woken: string[] = [];
    const counted: string[] = [];
    const associations = createAssociations({
      ...parts,
      notices: createOnbindNotices({
        ...parts,
        logger: pino({ level: 'silent' }),
        metrics: createMetrics().onbind,
        expiry: 0,
        added: () => void woken.push('dispatcher'),
      }),
      ownerNotices: undefined,
      limits: { most: () => 1, reached: () => false },
      trail: { note: () => {} },
      logged: () => void woken.push('pusher'),
      onChange: (_medium, change) => void counted.push(change),
    });
    const ada = { medium: 'email', address: 'ada@sample.test', typed: 'ada@sample.test' } as const;
    await associations.unbind(ada, '@ada:sample.test', 'operator');
    expect(woken).toEqual([]);
    await associations.bind(ada, '@ada:sample.test');
    expect(woken.toSorted()).toEqual(['dispatcher', 'pusher']);
    await associations.unbind(ada, '@other:sample.test', 'operator');
    await associations.unbind(ada, '@ada:sample.test', 'operator');
    expect(woken.toSorted()).toEqual(['dispatcher', 'pusher', 'pusher']);
    expect(counted).toEqual(['bound', 'unbound']);
  });

  test('that is undone has none of its steps done', async () => {
    const done: string[] = [];
    const work = storage.transaction(async (stores) => {
      stores.onCommit(() => void done.push('never'));
      await note(stores, 'undone');
      throw new Error('undone');
    });
    await expect(work).rejects.toThrow('undone');
    expect(done).toEqual([]);
    expect(await noted()).toBeUndefined();
  });
});
