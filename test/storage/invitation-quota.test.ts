import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  createInvitationQuota,
  type Newcomer,
} from '../../src/identity/invitations/invitation-quota.ts';
import type { LimitName } from '../../src/model/limits.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { openStorage } from '../../src/storage/open.ts';
import type { Storage } from '../../src/storage/stores/index.ts';
import { createDatabase, ENGINES, type TestDatabase } from '../support/databases.ts';
import { configOf } from '../support/earlier-database.ts';
import { TestClock } from '../support/server.ts';

const DAY = 24 * 60 * 60 * 1000;
const RULES = { expiry: 90 * DAY, keyGrace: 30 * DAY };
const MOST = new Map<LimitName, number>([
  ['invites.address', 10],
  ['invites.sender', 30],
]);

describe.each(ENGINES)('of the invitations that are pending, on %s,', (engine) => {
  let database: TestDatabase;
  let storages: Storage[];
  let clock: TestClock;
  let logs: string[];
  /** The limits that were reached, one after the other. */
  let reached: string[];
  let enforced: boolean;
  let givenWay: number;

  const open = () =>
    openStorage(configOf(database), {
      logger: pino({ level: 'silent' }),
      clock,
      random: secureRandom,
      serverName: 'id.test',
      pidFile: '',
    });
  beforeEach(async () => {
    database = await createDatabase(engine);
    clock = new TestClock();
    logs = [];
    reached = [];
    enforced = true;
    givenWay = 0;
    storages = [await open()];
    if (engine === 'postgres') storages.push(await open());
  });
  afterEach(async () => {
    for (const storage of storages) await storage.close();
    await database.drop();
  });

  const room = () =>
    createInvitationQuota({
      clock,
      rules: RULES,
      logger: pino({ level: 'debug' }, { write: (line: string) => void logs.push(line) }),
      limits: {
        most: (limit) => MOST.get(limit) ?? Infinity,
        reached(limit) {
          reached.push(limit);
          return enforced;
        },
      },
      onGivenWay: () => void givenWay++,
    });

  /** Stores an invitation as the service does; its token, or undefined when it is refused. */
  async function store(
    newcomer: Newcomer,
    turn = 0,
    mailing = async () => {},
  ): Promise<string | undefined> {
    const storage = storages[turn % storages.length];
    if (storage === undefined) throw new Error('No storage');
    const place = room().placeFor(newcomer);
    const token = secureRandom.alphanumeric(32);
    const invite = { ...newcomer, medium: 'email', roomId: '!tea:x.test', token };
    try {
      await place.check(storage.stores);
      await mailing();
      await storage.logTransaction(async (stores) => {
        await place.make(stores);
        await stores.invitations.confirm(invite, `key of ${token}`, clock.now(), undefined);
      });
    } catch (error) {
      expect(error).toMatchObject({ fault: 'limit-exceeded' });
      return undefined;
    }
    clock.advance(1);
    return token;
  }

  const isPending = async (token: string | undefined) =>
    token !== undefined && (await storages[0]?.stores.invitations.find(token)) !== undefined;
  const pending = async () =>
    (await database.execute('select token from invite_tokens where sent_ts is null')).length;
  const v1 = (sender: string, address = 'grace@x.test') => ({ address, sender, isV1: true });
  const v2 = (sender: string, address = 'grace@x.test') => ({ address, sender, isV1: false });

  test('an address has so many, and those of v1 give way, the oldest first', async () => {
    const honest = await store(v2('@ada:x.test'));
    const flood: (string | undefined)[] = [];
    for (let count = 0; count < 25; count++) flood.push(await store(v1(`@made-up${count}:y.test`)));
    expect(await pending()).toBe(10);
    expect(await isPending(honest)).toBe(true);
    expect(await Promise.all(flood.slice(-9).map(isPending))).toEqual(Array(9).fill(true));
    // The honest one more: of those of v1 one gives way, and none of an account.
    const second = await store(v2('@ada:x.test'));
    expect(await isPending(honest)).toBe(true);
    expect(await isPending(second)).toBe(true);
    expect(await isPending(flood.at(-9))).toBe(false);
    expect(await pending()).toBe(10);
    expect(await isPending(await store(v1('@another:y.test', 'other@x.test')))).toBe(true);
    expect(reached).toEqual(Array(17).fill('invites.address'));
    expect(givenWay).toBe(17);
    expect(logs).toHaveLength(17);
  });

  test('what accounts sent to an address gives way to none but the same account’s', async () => {
    const own: (string | undefined)[] = [];
    for (let count = 0; count < 9; count++) own.push(await store(v2('@eve:y.test')));
    const honest = await store(v2('@ada:x.test'));
    expect(await store(v1('@made-up:y.test'))).toBeUndefined();
    expect(await store(v1('@ada:x.test'))).toBeUndefined();
    expect(await store(v2('@new:x.test'))).toBeUndefined();
    const tenth = await store(v2('@eve:y.test'));
    expect(await isPending(tenth)).toBe(true);
    expect(await isPending(own[0])).toBe(false);
    expect(await isPending(own[1])).toBe(true);
    expect(await isPending(honest)).toBe(true);
    expect(await pending()).toBe(10);
  });

  test('a sender has so many, the oldest gives way, and one that is only claimed is another', async () => {
    const honest = await store(v2('@bob:x.test', 'first@x.test'));
    const claimed: (string | undefined)[] = [];
    for (let count = 0; count < 35; count++) {
      claimed.push(await store(v1('@bob:x.test', `victim${count}@x.test`)));
    }
    expect(await isPending(honest)).toBe(true);
    expect(await Promise.all(claimed.slice(0, 6).map(isPending))).toEqual([
      ...Array(5).fill(false),
      true,
    ]);
    expect(reached).toEqual(Array(5).fill('invites.sender'));
    reached = [];
    for (let count = 0; count < 29; count++) {
      await store(v2('@bob:x.test', `friend${count}@x.test`));
    }
    expect(reached).toEqual([]);
    expect(await isPending(honest)).toBe(true);
    await store(v2('@bob:x.test', 'last@x.test'));
    expect(await isPending(honest)).toBe(false);
    expect(await isPending(claimed.at(-1))).toBe(true);
    expect(await isPending(await store(v2('@ada:x.test', 'friend1@x.test')))).toBe(true);
  });

  test('those count that are pending: not delivered, deleted, expired or adopted ones', async () => {
    const [storage] = storages;
    if (storage === undefined) throw new Error('No storage');
    for (let count = 0; count < 20; count++) {
      await database.execute(
        "insert into invite_tokens (medium, address, room_id, sender, token, received_ts) values ('email', 'grace@x.test', '!old:x.test', '@ada:x.test', ?, ?)",
        [`adopted${count}`, Math.floor(clock.now() / 1000)],
      );
    }
    const fill = async () => {
      const tokens: string[] = [];
      for (let count = 0; count < 10; count++) {
        const token = await store(v2(`@ada${count}:x.test`));
        expect(token).toBeDefined();
        tokens.push(token ?? '');
      }
      expect(await store(v2('@new:x.test'))).toBeUndefined();
      return tokens;
    };
    const deliver = (tokens: string[], keep: boolean) =>
      storage.stores.invitations.markDelivered(tokens, {
        keep,
        now: clock.now(),
        keysUntil: clock.now(),
      });
    await deliver(await fill(), true);
    await deliver(await fill(), false);
    // As a Sydent on the same file does it.
    await fill();
    await database.execute("update invite_tokens set sent_ts = 1 where token not like 'adopted%'");
    await fill();
    clock.advance(RULES.expiry + DAY);
    await fill();
    await storage.stores.invitations.deleteReceivedBefore(clock.now() + DAY, clock.now(), 1000);
    await fill();
    expect(givenWay).toBe(0);
  });

  test('one whose homeserver is being told gives way to none', async () => {
    const [storage] = storages;
    const [first, second] = [await store(v2('@eve:y.test')), await store(v2('@eve:y.test'))];
    for (let count = 0; count < 8; count++) await store(v2('@eve:y.test'));
    await storage?.stores.onbindNotices.add([
      {
        id: 1,
        serverName: 'hs.test',
        address: 'grace@x.test',
        association: '{}',
        createdAt: clock.now(),
        dueAt: clock.now(),
        tokens: [first ?? ''],
      },
    ]);
    expect(await isPending(await store(v2('@eve:y.test')))).toBe(true);
    expect(await isPending(first)).toBe(true);
    expect(await isPending(second)).toBe(false);
  });

  test('the token of one that gave way is unknown, and its key valid for a while', async () => {
    const [storage] = storages;
    const token = await store(v1('@ada:x.test'));
    for (let count = 0; count < 10; count++) await store(v1('@eve:y.test'));
    expect(await isPending(token)).toBe(false);
    const isValid = () =>
      storage?.stores.ephemeralKeys.countVerification(`key of ${token}`, clock.now());
    expect(await isValid()).toBe(true);
    clock.advance(RULES.keyGrace);
    expect(await isValid()).toBe(false);
  });

  test('as long as limits only report, nothing gives way and nothing is refused', async () => {
    enforced = false;
    const tokens: (string | undefined)[] = [];
    for (let count = 0; count < 12; count++) tokens.push(await store(v1('@ada:x.test')));
    for (let count = 0; count < 12; count++) tokens.push(await store(v2(`@ada${count}:x.test`)));
    expect(await Promise.all(tokens.map(isPending))).toEqual(Array(24).fill(true));
    expect(reached).toEqual(Array(14).fill('invites.address'));
    expect(givenWay).toBe(0);
    // One that would be refused is noted once, too.
    reached = [];
    for (const address of ['x@x.test', 'y@x.test']) {
      for (let count = 0; count < 10; count++) {
        const newcomer = v2(`@${count}:x.test`, address);
        await store(newcomer);
      }
    }
    expect(await store(v2('@new:x.test', 'x@x.test'))).toBeDefined();
    expect(reached).toEqual(['invites.address']);
    enforced = true;
    // Enforced from now on, one gives way to each that comes.
    await store(v1('@ada:x.test'));
    expect(await pending()).toBe(45);
  });

  test('many at once, in all processes, are no more than a few over', async () => {
    const newcomers = Array.from({ length: 60 }, (_, turn) =>
      turn % 2 === 0 ? v2(`@ada${turn}:x.test`) : v1('@eve:y.test', `x${turn % 3}@x.test`),
    );
    // All of them find room, and come in once the last has found it.
    let checked = 0;
    const allChecked = Promise.withResolvers<void>();
    const mailing = () => {
      if (++checked === newcomers.length) allChecked.resolve();
      return allChecked.promise;
    };
    const tokens = await Promise.all(
      newcomers.map((newcomer, turn) => store(newcomer, turn, mailing)),
    );
    const counts = (await database.execute(
      'select address, count(*) as n from invite_tokens group by address order by address',
    )) as { n: unknown }[];
    expect(counts.map(({ n }) => Number(n))).toEqual([10, 10, 10, 10]);
    expect(tokens.filter((token) => token !== undefined)).toHaveLength(40);
  });
});
