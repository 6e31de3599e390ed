import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  type AskedAddresses,
  createAskedAddresses,
} from '../../src/identity/limits/asked-addresses.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { TestClock } from '../support/server.ts';

const HOUR = 60 * 60 * 1000;
const DAY = 24 * HOUR;
const ADA = '@ada:sample.test';
const GRACE = '@grace:sample.test';

const book = (size: number, name = 'contact') =>
  Array.from({ length: size }, (_, i) => `${name}${i}@sample.test email`);

let clock: TestClock;
let asked: AskedAddresses;

const create = (limits: { memory?: number; perAccount?: number } = {}) =>
  createAskedAddresses({ clock, random: secureRandom, ...limits });

/** Asks, and is allowed to: how many of the addresses were new. */
async function ask(account: string, addresses: readonly string[], of = asked): Promise<number> {
  const { fresh, remember } = await of.compare(account, addresses);
  remember();
  return fresh;
}

beforeEach(() => {
  clock = new TestClock();
  asked = create();
});

describe('what an account asks again', () => {
  test('is not new for 7 days, however often its whole address book is asked', async () => {
    const contacts = book(10_000);
    expect(await ask(ADA, contacts)).toBeGreaterThan(9_990);
    for (let day = 0; day < 30; day++) {
      clock.advance(DAY);
      expect(await ask(ADA, contacts)).toBe(0);
    }
  });

  test('is new to another account', async () => {
    await ask(ADA, book(100));
    expect(await ask(GRACE, book(100))).toBe(100);
  });

  test('is new again after a week, and not a minute earlier', async () => {
    for (const hour of [0, 5, 23]) {
      const contacts = book(10, `${hour}`);
      clock.advance(hour * HOUR);
      await ask(ADA, contacts);
      clock.advance(7 * DAY - 60_000);
      expect((await asked.compare(ADA, contacts)).fresh).toBe(0);
      clock.advance(DAY + 60_000);
      expect((await asked.compare(ADA, contacts)).fresh).toBe(10);
    }
  });

  test('does not become young by what else is asked, for months', async () => {
    const [once, daily] = [book(50, 'once'), book(50, 'daily')];
    await ask(ADA, once);
    await ask(ADA, daily);
    for (let day = 1; day <= 40; day++) {
      clock.advance(DAY);
      expect(await ask(ADA, daily)).toBe(0);
      expect((await asked.compare(ADA, once)).fresh).toBe(day <= 7 ? 0 : 50);
    }
  });

  test('counts once in one request', async () => {
    const contacts = book(20);
    expect(await ask(ADA, [...contacts, ...contacts, ...contacts])).toBe(20);
    expect(await ask(ADA, [])).toBe(0);
  });

  test('counts as new as long as it was refused', async () => {
    await asked.compare(ADA, book(5));
    expect(await ask(ADA, book(5))).toBe(5);
  });

  test('is told from what is new beside it, one at a time and many at once', async () => {
    const contacts = book(2_000);
    let fresh = 0;
    for (const contact of contacts.slice(0, 1_000)) fresh += await ask(ADA, [contact]);
    expect(fresh).toBeGreaterThan(998);
    const rest = await ask(ADA, contacts);
    expect(rest).toBeGreaterThan(998);
    expect(rest).toBeLessThanOrEqual(1_000);
    expect(await ask(ADA, contacts.toReversed())).toBe(0);
  });

  test('survives a clock that is set back, or is asked anew', async () => {
    await ask(ADA, book(10));
    clock.advance(-3 * DAY);
    expect(await ask(ADA, book(10))).toBeLessThanOrEqual(10);
    expect(await ask(ADA, book(10))).toBe(0);
  });

  test('counts as asked at the end of two requests that come at once', async () => {
    const contacts = book(3_000);
    await Promise.all([ask(ADA, contacts.slice(0, 2_000)), ask(ADA, contacts.slice(1_000))]);
    expect(await ask(ADA, contacts)).toBe(0);
  });
});

describe('the memory for it', () => {
  test('is bounded, whoever asks whatever', async () => {
    const memory = 256 * 1024;
    asked = create({ memory });
    for (let account = 0; account < 200; account++) {
      await ask(`@${account}:sample.test`, book(account % 3 === 0 ? 2_000 : 1, `${account}`));
      expect(asked.bytes).toBeLessThanOrEqual(memory);
    }
    expect(asked.bytes).toBeGreaterThan(memory / 2);
  });

  test('forgets who has not asked for longest', async () => {
    asked = create({ memory: 60 * 1024 });
    await ask(ADA, book(1_000));
    await ask(GRACE, book(1_000));
    for (let account = 0; account < 150; account++) {
      await ask(`@${account}:sample.test`, book(1, `${account}`));
      await ask(ADA, book(1_000));
    }
    expect(await ask(ADA, book(1_000))).toBe(0);
    expect(await ask(GRACE, book(1_000))).toBe(1_000);
  });

  test('is not taken from others by an account that asks new addresses all day', async () => {
    asked = create({ memory: 440 * 1024 });
    const honest = Array.from({ length: 100 }, (_, i) => `@${i}:sample.test`);
    for (const account of honest) await ask(account, book(500));
    for (let round = 0; round < 100; round++)
      await ask('@thief:evil.test', book(5_000, `${round}`));
    for (const account of honest) expect(await ask(account, book(500))).toBe(0);
  });

  test('of one account keeps what it asked last', async () => {
    asked = create({ perAccount: 1_000 });
    await ask(ADA, book(600, 'old'));
    clock.advance(DAY);
    await ask(ADA, book(600, 'new'));
    expect(await ask(ADA, book(600, 'new'))).toBe(0);
    expect(await ask(ADA, book(600, 'old'))).toBeGreaterThan(100);
  });

  test('is given back by those who have not asked for a week', async () => {
    for (let account = 0; account < 100; account++) await ask(`@${account}:sample.test`, book(50));
    const before = asked.bytes;
    clock.advance(8 * DAY);
    await ask(ADA, book(50));
    expect(asked.bytes).toBeLessThan(before / 50);
  });

  test('holds the address books of a homeserver with 5,000 users', async () => {
    const contacts = book(500);
    for (let user = 0; user < 5_000; user++) await ask(`@user${user}:sample.test`, contacts);
    for (let user = 0; user < 500; user++) {
      expect(await ask(`@user${user}:sample.test`, contacts)).toBe(0);
    }
  });

  test('is what is counted, with user ids as long as they get', async () => {
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    const used = () => {
      collect();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    for (const size of [1, 60]) {
      asked = create();
      const contacts = book(size);
      const before = used();
      for (let user = 0; user < 30_000; user++) {
        const id = Buffer.from(`@${String(user).padStart(240, 'x')}:sample.test`).toString();
        await ask(id, contacts);
      }
      expect(asked.bytes).toBeGreaterThan(15 * 2 ** 20);
      expect(used() - before).toBeLessThan(1.2 * asked.bytes);
    }
  });
});
