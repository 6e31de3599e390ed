import fc from 'fast-check';
import pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { databaseNamed } from '../../src/config/sections/db.ts';
import { type BucketAsk, createMemoryBuckets } from '../../src/platform/bucket-store.ts';
import { type Ask, type Buckets, measuresOf } from '../../src/platform/buckets.ts';
import { stopwatch, systemClock } from '../../src/platform/clock.ts';
import { createPortions } from '../../src/platform/portions.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { openStorage } from '../../src/storage/open.ts';
import type { SharedBuckets, Storage } from '../../src/storage/stores/index.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { TestClock } from '../support/server.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let storages: Storage[];
let client: pg.Client;

const storeOf = ({ sharedBuckets }: Storage): SharedBuckets => {
  if (sharedBuckets === undefined) throw new Error('PostgreSQL shares buckets');
  return sharedBuckets;
};

beforeAll(async () => {
  database = await createTestDatabase();
  const open = () =>
    openStorage(databaseNamed(database.url), {
      logger: pino({ level: 'silent' }),
      clock: systemClock,
      random: secureRandom,
      serverName: 'id.test',
      pidFile: '',
    });
  storages = [await open(), await open()];
  client = new pg.Client(database.url);
  await client.connect();
});

afterAll(async () => {
  await client.end();
  await Promise.all(storages.map((storage) => storage.close()));
  await database.drop();
});

/** The buckets as two nodes have them, each with a clock of its own. */
function nodes(...clocks: TestClock[]): [Buckets, Buckets] {
  const [one, two] = storages.map((storage, index) =>
    createPortions(storeOf(storage), clocks[index] ?? systemClock),
  );
  return [one as Buckets, two as Buckets];
}

let names = 0;
/** A bucket that nobody has used. */
const fresh = (limit: Ask['limit'], units = 1): Ask => ({
  ...{ bucket: 'tea', key: `key ${names++}`, units, limit, refuses: true },
});
const SLOW = 1e-6;

async function admitted(buckets: Buckets, ask: Ask, times: number): Promise<number> {
  let count = 0;
  for (let i = 0; i < times; i++) if ((await buckets.take([ask]))[0] === 0) count++;
  return count;
}

test('do in the database just what they do in memory', async () => {
  const memory = createMemoryBuckets(new TestClock());
  const store = storeOf(storages[0] as Storage);
  const units = fc.integer({ min: 0, max: 60 });
  let run = 0;
  const asks = fc.array(
    fc.record({
      key: fc.constantFrom('ada', 'grace', 'alan'),
      measures: fc.constantFrom(
        ...[
          { burst: 50, rateHz: SLOW },
          { burst: 3, rateHz: SLOW },
          { burst: 50, rateHz: SLOW, ceiling: 100 },
          { burst: 100, rateHz: SLOW, ceiling: 100 },
          { burst: 50, rateHz: 1, daily: true },
          { burst: Infinity, rateHz: SLOW },
        ].map(measuresOf),
      ),
      ...{ back: units, put: units, least: units, need: units, portion: units },
    }),
    { maxLength: 20 },
  );
  await fc.assert(
    fc.asyncProperty(asks, async (each) => {
      run++;
      for (const { key, measures, ...rest } of each) {
        const { interval, ceiling, daily } = measures;
        const name = { bucket: `${run} ${interval} ${ceiling} ${daily}`, key };
        const ask: BucketAsk = { ...name, measures, ...rest };
        const [here] = memory.ask([ask]);
        const [there] = (await store.ask([ask])) ?? [];
        expect(there?.granted).toBeCloseTo(here?.granted ?? -1, 1);
        expect(there?.level).toBeCloseTo(here?.level ?? -1, 1);
        if (daily) expect(there?.resetsIn).toBeGreaterThan(0);
        else expect(there?.resetsIn).toBe(0);
      }
    }),
    { numRuns: 50 },
  );
});

test('answer many at once, in their order', async () => {
  const store = storeOf(storages[0] as Storage);
  const measures = measuresOf({ burst: 1000, rateHz: SLOW });
  const asks = Array.from({ length: 500 }, (_, index): BucketAsk => {
    const need = (index * 7) % 500;
    return {
      bucket: 'many',
      key: String(index),
      measures,
      ...{ back: 0, put: 0, portion: 0, need, least: need },
    };
  });
  const answers = await store.ask(asks);
  expect(answers?.map(({ granted }) => granted)).toEqual(asks.map(({ need }) => need));
});

test.each([
  [5, 0],
  [20, 0],
  [200, 12],
  [50_000, 3125],
])(
  'of %i two nodes together let no more through, and all but what the other holds: %i',
  async (burst, held) => {
    const [one, two] = nodes();
    const ask = fresh({ burst, rateHz: SLOW }, burst > 1000 ? 10 : 1);
    expect(await admitted(two, ask, 1)).toBe(1);
    const rest = await admitted(one, ask, burst / ask.units);
    expect((1 + rest) * ask.units).toBeLessThanOrEqual(burst);
    expect((1 + rest) * ask.units).toBeGreaterThanOrEqual(burst - held);
    // What it holds it may still let through, but for a part of a unit that has flown off meanwhile.
    const others = await admitted(two, ask, burst / ask.units);
    expect((1 + rest + others) * ask.units).toBeLessThanOrEqual(burst);
    expect((1 + rest + others) * ask.units).toBeGreaterThanOrEqual(burst - ask.units);
  },
);

test('two nodes that are hammered at once let through what one would', async () => {
  const [one, two] = nodes();
  for (const burst of [5, 200]) {
    const ask = fresh({ burst, rateHz: SLOW });
    const hammer = (buckets: Buckets) =>
      Promise.all(Array.from({ length: 300 }, () => buckets.take([ask])));
    const all = [...(await Promise.all([hammer(one), hammer(two)]))].flat(2);
    const through = all.filter((wait) => wait === 0).length;
    expect(through).toBeLessThanOrEqual(burst);
    await Promise.all([one.stop(), two.stop()]);
    const later = await admitted(nodes()[0], ask, burst);
    expect([burst - 1, burst]).toContain(through + later);
  }
});

test('nodes that ask for the same keys in other orders do not wait for each other in a circle', async () => {
  const [one, two] = nodes();
  const asks = Array.from({ length: 50 }, () => fresh({ burst: 1000, rateHz: SLOW }));
  const rounds = async (buckets: Buckets, order: readonly Ask[]) => {
    for (let i = 0; i < 20; i++) expect(await buckets.take(order)).toEqual(order.map(() => 0));
  };
  await Promise.all([rounds(one, asks), rounds(two, asks.toReversed())]);
});

test('one that is refused asks the database once a second at most', async () => {
  const asked: number[] = [];
  const store = storeOf(storages[0] as Storage);
  const clock = new TestClock();
  const counting = createPortions(
    {
      ask(asks) {
        asked.push(asks.length);
        return store.ask(asks);
      },
    },
    clock,
  );
  const ask = fresh({ burst: 5, rateHz: SLOW });
  expect(await admitted(counting, ask, 5)).toBe(5);
  const before = asked.length;
  expect(await admitted(counting, ask, 1000)).toBe(0);
  expect(asked.length - before).toBeLessThanOrEqual(1);
  clock.advance(1000);
  expect(await admitted(counting, ask, 1000)).toBe(0);
  expect(asked.length - before).toBeLessThanOrEqual(2);
});

test('large ones cost next to nothing: a portion at a time', async () => {
  let asked = 0;
  const store = storeOf(storages[0] as Storage);
  const counting = createPortions(
    {
      ask(asks) {
        asked++;
        return store.ask(asks);
      },
    },
    systemClock,
  );
  expect(await admitted(counting, fresh({ burst: 50_000, rateHz: 1 / 4 }), 10_000)).toBe(10_000);
  expect(asked).toBeLessThanOrEqual(4);
});

test('a node whose time is wrong neither gets more nor takes from others', async () => {
  const clock = new TestClock(Date.UTC(2001, 0, 1));
  const [wrong, right] = nodes(clock);
  const slow = fresh({ burst: 5, rateHz: SLOW });
  const daily = fresh({ burst: 5, rateHz: Infinity, daily: true });
  for (const ask of [slow, daily]) {
    expect(await admitted(wrong, ask, 3)).toBe(3);
    clock.step(400 * 86_400_000);
    expect(await admitted(right, ask, 3)).toBe(2);
    expect(await admitted(wrong, ask, 3)).toBe(0);
  }
});

test('what flows off can be used on the other node', async () => {
  const [one, two] = nodes();
  const ask = fresh({ burst: 5, rateHz: 20 });
  expect(await admitted(one, ask, 5)).toBe(5);
  await expect.poll(async () => (await two.take([ask]))[0]).toBe(0);
});

test('what a node that died had taken for later flows off, and what one that stops has goes back', async () => {
  const [dying, two] = nodes();
  const ask = fresh({ burst: 160, rateHz: 40 });
  await dying.take([ask]);
  const elapsed = stopwatch();
  const others = await admitted(two, ask, 400);
  expect(others).toBeGreaterThanOrEqual(147);
  expect(others).toBeLessThanOrEqual(159 + (elapsed() * 40) / 1000);
  await expect.poll(() => admitted(two, ask, 1)).toBe(1);

  const [stopping, other] = nodes();
  const slow = fresh({ burst: 160, rateHz: SLOW });
  await stopping.take([slow]);
  await stopping.stop();
  const rest = await admitted(other, slow, 160);
  expect([158, 159]).toContain(rest);
});

test('what a node does not use goes back by itself', async () => {
  const [one, two] = nodes();
  const ask = fresh({ burst: 16_000, rateHz: SLOW }, 1000);
  await one.take([{ ...ask, units: 1 }]);
  const level = async () => {
    const look = await storeOf(storages[1] as Storage).ask([
      { ...ask, measures: measuresOf(ask.limit), back: 0, put: 0, least: 0, need: 0, portion: 0 },
    ]);
    return look?.[0]?.level ?? -1;
  };
  expect(await level()).toBeCloseTo(1000, 1);
  await one.stop();
  expect(await level()).toBeCloseTo(1, 1);
  expect(await admitted(two, ask, 16)).toBe(15);
});

test('keep no key in the clear, and are deleted once they are empty', async () => {
  await client.query('delete from cognomen_buckets');
  const [one] = nodes();
  const secret = { ...fresh({ burst: 5, rateHz: 1000 }), key: '192.0.2.77' };
  await one.take([secret]);
  await one.take([fresh({ burst: 5, rateHz: SLOW })]);
  const rows = async () => (await client.query('select * from cognomen_buckets')).rows;
  expect(await rows()).toHaveLength(2);
  expect(JSON.stringify(await rows())).not.toContain('192.0.2.77');
  await expect.poll(() => storeOf(storages[0] as Storage).deleteEmpty()).toBe(1);
  expect(await rows()).toHaveLength(1);
});

test('many empty ones are deleted in batches, by several nodes at once', async () => {
  await client.query(
    `insert into cognomen_buckets select 'x' || n, 0, 0, '{}' from generate_series(1, 12000) n`,
  );
  const deleted = await Promise.all(storages.map((storage) => storeOf(storage).deleteEmpty()));
  expect(deleted.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(12_000);
});
