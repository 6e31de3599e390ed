import Database from 'better-sqlite3';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { secureRandom } from '../../src/platform/random.ts';
import { openForCommand } from '../../src/storage/for-command.ts';
import { openStorage } from '../../src/storage/open.ts';
import type { OpenTransaction, Storage } from '../../src/storage/stores/index.ts';
import { createDatabase, ENGINES, type TestDatabase } from '../support/databases.ts';
import { configOf } from '../support/earlier-database.ts';
import { TestClock } from '../support/server.ts';

const logger = pino({ level: 'silent' });

const open = (database: TestDatabase) =>
  openStorage(configOf(database), {
    logger,
    clock: new TestClock(),
    random: secureRandom,
    serverName: 'id.test',
    pidFile: '',
  });

/** What the databases guard for those who work on one at the same time: without it each seems to work. */
describe.each(ENGINES)('of two that work on one %s database', (engine) => {
  let database: TestDatabase;
  let storage: Storage;
  let other: Pick<Storage, 'stores' | 'transaction' | 'close'>;

  beforeEach(async () => {
    database = await createDatabase(engine);
    storage = await open(database);
    other = await openForCommand(configOf(database), logger);
  });
  afterEach(async () => {
    await other.close();
    await storage.close();
    await database.drop();
  });

  test('one claims a homeserver, and the other when the claim has lapsed', async () => {
    const due = 1_000_000;
    await storage.transaction(({ onbindNotices }) => onbindNotices.giveTurn('sample.test', due));
    const claim = (owner: Pick<Storage, 'transaction'>, holder: string, now: number) =>
      owner.transaction(({ onbindNotices }) =>
        onbindNotices.claim({
          holder,
          troubled: false,
          newestFirst: false,
          except: [],
          now,
          until: now + 8000,
          limit: 10,
        }),
      );
    const both = [claim(storage, 'one', due), claim(storage, 'two', due)];
    expect((await Promise.all(both)).map((claimed) => claimed.length).toSorted()).toEqual([0, 1]);
    expect(await claim(other, 'three', due + 7999)).toEqual([]);
    expect(await claim(other, 'three', due + 8001)).toHaveLength(1);
  });

  test('one moves the position of a peer, if the other has not moved it meanwhile', async () => {
    const peer = { name: 'peer.test', port: undefined, url: undefined, keys: ['key'] };
    await storage.transaction(({ peers }) => peers.save(peer));
    const advance = (owner: Pick<Storage, 'transaction'>, from: number | undefined, to: number) =>
      owner.transaction(({ peers }) => peers.advance('peer.test', from, to, 1));
    await advance(storage, undefined, 10);
    await advance(other, undefined, 5);
    await advance(other, 9, 20);
    const [row] = await database.execute('select "lastSentVersion" as at from peers');
    expect(Number(Object(row).at)).toBe(10);
  });
});

describe('on PostgreSQL', () => {
  test('who writes associations waits until another is done', async () => {
    const database = await createDatabase('postgres');
    const one = await open(database);
    const two = await open(database);
    const waiting = () =>
      database.execute(
        "select 1 from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())",
      );
    const order: string[] = [];
    let second: Promise<void> = Promise.resolve();
    await one.logTransaction(async () => {
      second = two.logTransaction(async () => {
        order.push('second');
      });
      await expect.poll(waiting).toHaveLength(1);
      order.push('first');
    });
    await second;
    expect(order).toEqual(['first', 'second']);
    await Promise.all([one.close(), two.close()]);
    await database.drop();
  });
});

test('on PostgreSQL, a homeserver that one is about to claim is not claimed by another, nor waited for', async () => {
  const database = await createDatabase('postgres');
  const one = await open(database);
  const two = await open(database);
  await one.transaction(({ onbindNotices }) => onbindNotices.giveTurn('sample.test', 1));
  const claim = ({ onbindNotices }: Pick<OpenTransaction, 'onbindNotices'>, holder: string) =>
    onbindNotices.claim({
      holder,
      troubled: false,
      newestFirst: false,
      except: [],
      now: 1,
      until: 8001,
      limit: 10,
    });
  await one.transaction(async (stores) => {
    expect(await claim(stores, 'one')).toHaveLength(1);
    expect(await two.transaction((others) => claim(others, 'two'))).toEqual([]);
  });
  await Promise.all([one.close(), two.close()]);
  await database.drop();
});

describe('on SQLite', () => {
  test('a transaction can write from its beginning, whatever it has only read so far', async () => {
    const database = await createDatabase('sqlite');
    const storage = await open(database);
    const beside = new Database(database.config.replace('db.file = ', ''), { timeout: 0 });
    await storage.transaction(async ({ state }) => {
      await state.get('noted');
      expect(() => beside.exec('begin immediate')).toThrow('database is locked');
      await state.set('noted', 'first');
    });
    expect(await storage.stores.state.get('noted')).toBe('first');
    beside.close();
    await storage.close();
    await database.drop();
  });
});
