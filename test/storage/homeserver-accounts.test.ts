import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  createHomeserverAccounts,
  homeserverKey,
} from '../../src/identity/limits/homeserver-accounts.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { openStorage } from '../../src/storage/open.ts';
import type { Storage } from '../../src/storage/stores/index.ts';
import { createDatabase, ENGINES, type TestDatabase } from '../support/databases.ts';
import { configOf } from '../support/earlier-database.ts';
import { SERVER_NAME, TestClock } from '../support/server.ts';

const DAY = 24 * 60 * 60 * 1000;

describe.each(ENGINES)(
  'the accounts of a homeserver that are older than a week, on %s,',
  (engine) => {
    let database: TestDatabase;
    let storage: Storage;
    let clock: TestClock;
    const open = () =>
      openStorage(configOf(database), {
        logger: pino({ level: 'silent' }),
        clock,
        random: secureRandom,
        serverName: SERVER_NAME,
        pidFile: '',
      });
    const counter = (on = storage) =>
      createHomeserverAccounts({ storage: on, clock, random: secureRandom });
    const register = (homeserver: string, count: number) =>
      storage.transaction(async ({ accounts }) => {
        for (let user = 0; user < count; user++) {
          const id = `@user${user}:${homeserver}`;
          await accounts.addToken(id, secureRandom.alphanumeric(64), clock.now());
        }
      });
    async function counted(homeservers: readonly string[], on = storage) {
      const accounts = counter(on);
      await accounts.count();
      return homeservers.map((name) => accounts.of(homeserverKey(`@x:${name}`)));
    }

    beforeEach(async () => {
      clock = new TestClock();
      database = await createDatabase(engine);
      storage = await open();
    });
    afterEach(async () => {
      await storage.close();
      await database.drop();
    });

    test('are counted, all of them, by registered domain', async () => {
      await register('big.test', 1_003);
      await register('hs.big.test:8448', 30);
      await register('Other.Big.test', 7);
      await register('small.test', 2);
      await register('[2001:db8::1]:8448', 3);
      clock.advance(7 * DAY);
      expect(
        await counted(['BIG.test', 'any.big.test:1', 'small.test', 'none.test', '[2001:db8::2]']),
      ).toEqual([1_040, 1_040, 2, 0, 3]);
    });

    test('do not hold those that somebody makes today, however many', async () => {
      await register('evil.test', 520);
      for (let day = 0; day < 7; day++) {
        expect(await counted(['evil.test', 'hs.evil.test'])).toEqual([0, 0]);
        clock.advance(DAY);
      }
      expect(await counted(['evil.test'])).toEqual([520]);
    });

    test('are the same after a restart, and in another process', async () => {
      await register('big.test', 600);
      clock.advance(8 * DAY);
      expect(await counted(['big.test'])).toEqual([600]);
      // A SQLite file serves one process at a time.
      if (engine === 'postgres') {
        const other = await open();
        expect(await counted(['big.test'], other)).toEqual([600]);
        await other.close();
      }
      await storage.close();
      storage = await open();
      expect(await counted(['big.test'])).toEqual([600]);
    });

    test('are not known before all are counted, and stand while they are counted anew', async () => {
      await register('big.test', 600);
      clock.advance(8 * DAY);
      const accounts = counter();
      const counting = accounts.count();
      expect(accounts.of('big.test')).toBeUndefined();
      await counting;
      await register('big.test', 610);
      clock.advance(8 * DAY);
      const again = accounts.count();
      expect(accounts.of('big.test')).toBe(600);
      await again;
      expect(accounts.of('big.test')).toBe(610);
    });

    test('are counted no more when the server stops', async () => {
      await register('big.test', 600);
      clock.advance(8 * DAY);
      const accounts = counter();
      const counting = accounts.count();
      accounts.stop();
      await counting;
      expect(accounts.of('big.test')).toBeUndefined();
    });

    test('hold ids that are none of Matrix, which Sydent may have taken', async () => {
      const odd = ['ada', '@ada', '@:', ':', '@ada:', '@ada:a b', '@ada:[::1', '\ud7ff:x:y'];
      for (const id of odd) {
        await database.execute('insert into accounts (user_id, created_ts) values (?, ?)', [id, 0]);
      }
      await register('small.test', 1);
      clock.advance(8 * DAY);
      expect(await counted(['small.test'])).toEqual([1]);
    });
  },
);
