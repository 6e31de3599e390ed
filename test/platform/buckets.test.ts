import { expect, test } from 'vitest';
import { createBuckets, type RateLimit } from '../../src/platform/buckets.ts';
import { TestClock } from '../support/server.ts';

/** One limit's buckets, a unit at a time: what each attempt has to wait. */
function bucketsOf(limit: RateLimit, clock = new TestClock()) {
  const buckets = createBuckets(clock);
  const attempt = (key: string, units = 1) => {
    const wait = buckets.wait(key, units, limit);
    if (wait === 0) buckets.take(key, units, limit);
    return wait;
  };
  const attempts = (key: string, times: number) =>
    Array.from({ length: times }, () => attempt(key));
  return { attempt, attempts, buckets, clock };
}

test('a bucket takes its burst, and then one for each that has left it', () => {
  const { attempts, clock } = bucketsOf({ burst: 5, rateHz: 1 / 300 });
  expect(attempts('ada', 6)).toEqual([0, 0, 0, 0, 0, 300_000]);
  clock.advance(299_000);
  expect(attempts('ada', 1)).toEqual([1000]);
  clock.advance(1000);
  expect(attempts('ada', 2)).toEqual([0, 300_000]);
  clock.advance(10 * 300_000);
  expect(attempts('ada', 6)).toEqual([0, 0, 0, 0, 0, 300_000]);
});

test.each([0, -1])('a bucket of %d takes nothing, ever', (burst) => {
  const { attempts, clock } = bucketsOf({ burst, rateHz: 2 });
  expect(attempts('ada', 2)).toEqual([500, 500]);
  clock.advance(3_600_000);
  expect(attempts('ada', 1)).toEqual([500]);
});

test('at an endless rate everything is let through', () => {
  expect(bucketsOf({ burst: 1, rateHz: Infinity }).attempts('ada', 4)).toEqual([0, 0, 0, 0]);
});

test('keys have buckets of their own', () => {
  const { attempts } = bucketsOf({ burst: 1, rateHz: 1 / 3 });
  expect(attempts('ada', 2)).toEqual([0, 3000]);
  expect(attempts('grace', 2)).toEqual([0, 3000]);
});

test('a rate above the burst holds, and fractions add up', () => {
  const { attempt, clock } = bucketsOf({ burst: 3, rateHz: 0.7 });
  let admitted = 0;
  for (let second = 0; second < 1000; second++) {
    if (attempt('ada') === 0) admitted++;
    clock.advance(1000);
  }
  expect(admitted).toBeGreaterThanOrEqual(701);
  expect(admitted).toBeLessThanOrEqual(704);
});

test('what is given back can be taken again, and no more than that', () => {
  const limit = { burst: 2, rateHz: 1 };
  const { attempts, buckets } = bucketsOf(limit);
  expect(attempts('ada', 3)).toEqual([0, 0, 1000]);
  buckets.giveBack('ada', 1, limit);
  expect(attempts('ada', 2)).toEqual([0, 1000]);
  for (let i = 0; i < 10; i++) buckets.giveBack('ada', 1, limit);
  expect(attempts('ada', 3)).toEqual([0, 0, 1000]);
});

test('of more than a bucket holds only what it holds is given back', () => {
  const limit = { burst: 2, rateHz: 1 };
  const { attempts, buckets } = bucketsOf(limit);
  buckets.take('ada', 1, limit);
  buckets.take('ada', 10, limit);
  buckets.giveBack('ada', 10, limit);
  expect(attempts('ada', 2)).toEqual([0, 1000]);
});

test('however many keys come, memory is bounded and those asked for lately are kept', () => {
  const { attempt } = bucketsOf({ burst: 1, rateHz: 1 / 3600 });
  attempt('first');
  for (let i = 0; i < 100_000; i++) attempt(`key ${i}`);
  expect(attempt('key 99999')).toBeGreaterThan(0);
  expect(attempt('first')).toBe(0);
});
