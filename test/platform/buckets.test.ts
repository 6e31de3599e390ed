import { describe, expect, test } from 'vitest';
import { createMemoryBuckets } from '../../src/platform/bucket-store.ts';
import { type Buckets, createBuckets, type RateLimit } from '../../src/platform/buckets.ts';
import { createPortions } from '../../src/platform/portions.ts';
import { TestClock } from '../support/server.ts';

const HOMES = {
  'in memory': createBuckets,
  'in a store that is shared': (clock: TestClock): Buckets => {
    const memory = createMemoryBuckets(clock);
    return createPortions({ ask: async (asks) => memory.ask(asks) }, clock);
  },
};

describe.each(Object.entries(HOMES))('buckets %s', (_, create) => {
  /** One limit's buckets, a unit at a time: what each attempt has to wait. */
  function bucketsOf(limit: RateLimit, clock = new TestClock()) {
    const buckets = create(clock);
    const ask = (key: string, units: number) => [
      { bucket: 'tea', key, units, limit, refuses: true },
    ];
    const attempt = async (key: string, units = 1) => (await buckets.take(ask(key, units)))[0];
    const attempts = async (key: string, times: number) => {
      const waits: (number | undefined)[] = [];
      for (let i = 0; i < times; i++) waits.push(await attempt(key));
      return waits;
    };
    const giveBack = (key: string, units = 1) => buckets.giveBack(ask(key, units));
    const fill = (key: string, units = 1) => buckets.fill(ask(key, units));
    const look = async (key: string) => (await buckets.look(ask(key, 1)))[0];
    const empty = (key: string) => buckets.empty(ask(key, 1));
    return { attempt, attempts, giveBack, fill, empty, look, buckets, clock };
  }

  test('take their burst, and then one for each that has left', async () => {
    const { attempts, clock } = bucketsOf({ burst: 5, rateHz: 1 / 300 });
    expect(await attempts('ada', 6)).toEqual([0, 0, 0, 0, 0, 300_000]);
    clock.advance(299_000);
    expect(await attempts('ada', 1)).toEqual([1000]);
    clock.advance(1000);
    expect(await attempts('ada', 2)).toEqual([0, 300_000]);
    clock.advance(10 * 300_000);
    expect(await attempts('ada', 6)).toEqual([0, 0, 0, 0, 0, 300_000]);
  });

  test.each([0, -1])('of %d take nothing, ever', async (burst) => {
    const { attempts, clock } = bucketsOf({ burst, rateHz: 2 });
    expect(await attempts('ada', 2)).toEqual([500, 500]);
    clock.advance(3_600_000);
    expect(await attempts('ada', 1)).toEqual([500]);
  });

  test('let everything through at an endless rate', async () => {
    const { attempts } = bucketsOf({ burst: 1, rateHz: Infinity });
    expect(await attempts('ada', 4)).toEqual([0, 0, 0, 0]);
  });

  test('hold without end where the burst has none', async () => {
    const { attempt } = bucketsOf({ burst: Infinity, rateHz: 1 });
    expect(await attempt('ada', 1_000_000)).toBe(0);
    expect(await attempt('ada', 1_000_000)).toBe(0);
  });

  test('have nothing to do with those of other keys', async () => {
    const { attempts } = bucketsOf({ burst: 1, rateHz: 1 / 3 });
    expect(await attempts('ada', 2)).toEqual([0, 3000]);
    expect(await attempts('grace', 2)).toEqual([0, 3000]);
  });

  test('hold a rate above the burst, and add up fractions', async () => {
    const { attempt, clock } = bucketsOf({ burst: 3, rateHz: 0.7 });
    let admitted = 0;
    for (let second = 0; second < 1000; second++) {
      if ((await attempt('ada')) === 0) admitted++;
      clock.advance(1000);
    }
    expect(admitted).toBeGreaterThanOrEqual(701);
    expect(admitted).toBeLessThanOrEqual(704);
  });

  test('take again what was given back, and no more than that', async () => {
    const { attempts, giveBack, clock } = bucketsOf({ burst: 2, rateHz: 1 });
    expect(await attempts('ada', 3)).toEqual([0, 0, 1000]);
    giveBack('ada');
    expect(await attempts('ada', 2)).toEqual([0, 1000]);
    for (let i = 0; i < 10; i++) giveBack('ada');
    expect(await attempts('ada', 3)).toEqual([0, 0, 1000]);
    clock.advance(1000);
    expect(await attempts('ada', 2)).toEqual([0, 1000]);
  });

  test('give back, of more than they hold, only what they hold', async () => {
    const { attempts, fill, giveBack } = bucketsOf({ burst: 4, rateHz: 1 });
    fill('ada', 10);
    giveBack('ada', 10);
    expect(await attempts('ada', 5)).toEqual([0, 0, 0, 0, 1000]);
  });

  test('are full, and no more than full, of what is put in without asking', async () => {
    const { attempts, fill, clock } = bucketsOf({ burst: 2, rateHz: 1 });
    for (let i = 0; i < 10; i++) fill('ada');
    expect(await attempts('ada', 1)).toEqual([1000]);
    clock.advance(1000);
    expect(await attempts('ada', 2)).toEqual([0, 1000]);
  });

  test.each([
    ['', { burst: 3, rateHz: 1 / 300 }],
    [' by the day', { burst: 3, rateHz: 1, daily: true }],
    [' of which portions are taken', { burst: 64, rateHz: 1 / 300 }],
    [' that hold more for a few', { burst: 3, rateHz: 1 / 300, ceiling: 6 }],
  ])('%s take all again once they are emptied, and others’ stay full', async (_, limit) => {
    const { attempts, fill, empty } = bucketsOf(limit);
    const { burst } = limit;
    const passed = async (key: string) =>
      (await attempts(key, burst + 1)).filter((wait) => wait === 0).length;
    expect([await passed('ada'), await passed('bob')]).toEqual([burst, burst]);
    fill('ada', 2 * burst);
    empty('ada');
    expect([await passed('ada'), await passed('bob')]).toEqual([burst, 0]);
    empty('nobody');
    expect(await passed('nobody')).toBe(burst);
  });

  test('take nothing from those who only look', async () => {
    const { attempts, look } = bucketsOf({ burst: 40, rateHz: 1 });
    const looks = await Promise.all(Array.from({ length: 100 }, () => look('ada')));
    expect(looks).toEqual(Array(100).fill(0));
    expect(await attempts('ada', 41)).toEqual([...Array(40).fill(0), 1000]);
    expect(await look('ada')).toBe(1000);
  });

  test('of which one that refuses is full take nothing together', async () => {
    const { buckets } = bucketsOf({ burst: 1, rateHz: 1 });
    const ask = (key: string, refuses: boolean) => ({
      ...{ bucket: 'tea', key, units: 1, limit: { burst: 1, rateHz: 1 }, refuses },
    });
    expect(await buckets.take([ask('full', true)])).toEqual([0]);
    const both = await buckets.take([ask('free', true), ask('full', true)]);
    expect(both[1]).toBe(1000);
    expect(await buckets.take([ask('free', true), ask('full', false)])).toEqual([0, 1000]);
    expect(await buckets.take([ask('free', true)])).toEqual([1000]);
  });

  test('by the day are empty again at midnight, and not before', async () => {
    const { attempts, clock } = bucketsOf({ burst: 40, rateHz: Infinity, daily: true });
    clock.advance(60_000);
    expect(await attempts('', 41)).toEqual([...Array(40).fill(0), 86_340_000]);
    clock.advance(86_339_000);
    expect(await attempts('', 1)).toEqual([1000]);
    clock.advance(1000);
    expect(await attempts('', 41)).toEqual([...Array(40).fill(0), 86_400_000]);
  });

  test('by the day are not full for long when the time was a day ahead', async () => {
    const { attempts, clock } = bucketsOf({ burst: 2, rateHz: Infinity, daily: true });
    clock.step(86_400_000);
    expect(await attempts('', 3)).toEqual([0, 0, 86_400_000]);
    clock.advance(1000);
    clock.step(-86_400_000);
    expect(await attempts('', 1)).toEqual([0]);
  });

  test('keep those asked for lately, however many keys come', async () => {
    const { attempt } = bucketsOf({ burst: 1, rateHz: 1 / 3600 });
    await attempt('first');
    for (let i = 0; i < 100_000; i++) await attempt(`key ${i}`);
    expect(await attempt('key 99999')).toBeGreaterThan(0);
    expect(await attempt('first')).toBe(0);
  });

  test('are all empty once they are cleared under another name', async () => {
    const { attempts, buckets } = bucketsOf({ burst: 1, rateHz: 1 });
    expect(await attempts('ada', 2)).toEqual([0, 1000]);
    buckets.clear('other');
    expect(await attempts('ada', 1)).toEqual([1000]);
  });
});
