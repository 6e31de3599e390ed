import { expect, test } from 'vitest';
import { createRateLimiter } from '../../src/platform/rate-limiter.ts';
import { TestClock } from '../support/server.ts';

const take = async (limiter: ReturnType<typeof createRateLimiter>, key: string, times: number) => {
  const waits: number[] = [];
  for (let i = 0; i < times; i++) waits.push(await limiter.take(key));
  return waits;
};

test('a bucket takes its burst, and then one for each that has left it', async () => {
  const clock = new TestClock();
  const limiter = createRateLimiter({ burst: 5, rateHz: 1 / 300 }, clock);
  expect(await take(limiter, 'ada', 6)).toEqual([0, 0, 0, 0, 0, 300_000]);
  clock.advance(299_000);
  expect(await take(limiter, 'ada', 1)).toEqual([1000]);
  clock.advance(1000);
  expect(await take(limiter, 'ada', 2)).toEqual([0, 300_000]);
  clock.advance(10 * 300_000);
  expect(await take(limiter, 'ada', 6)).toEqual([0, 0, 0, 0, 0, 300_000]);
});

test.each([0, -1])('a bucket of %d takes nothing, ever', async (burst) => {
  const clock = new TestClock();
  const limiter = createRateLimiter({ burst, rateHz: 2 }, clock);
  expect(await take(limiter, 'ada', 2)).toEqual([500, 500]);
  clock.advance(3_600_000);
  expect(await take(limiter, 'ada', 1)).toEqual([500]);
});

test('at an endless rate everything is let through', async () => {
  const limiter = createRateLimiter({ burst: 1, rateHz: Infinity }, new TestClock());
  expect(await take(limiter, 'ada', 4)).toEqual([0, 0, 0, 0]);
});

test('keys have buckets of their own', async () => {
  const limiter = createRateLimiter({ burst: 1, rateHz: 1 / 3 }, new TestClock());
  expect(await take(limiter, 'ada', 2)).toEqual([0, 3000]);
  expect(await take(limiter, 'grace', 2)).toEqual([0, 3000]);
});

test('a rate above the burst holds, and fractions add up', async () => {
  const clock = new TestClock();
  const limiter = createRateLimiter({ burst: 3, rateHz: 0.7 }, clock);
  let admitted = 0;
  for (let second = 0; second < 1000; second++) {
    if ((await limiter.take('ada')) === 0) admitted++;
    clock.advance(1000);
  }
  expect(admitted).toBeGreaterThanOrEqual(701);
  expect(admitted).toBeLessThanOrEqual(704);
});

test('however many keys come, memory is bounded and those asked for lately are kept', async () => {
  const limiter = createRateLimiter({ burst: 1, rateHz: 1 / 3600 }, new TestClock());
  await limiter.take('first');
  for (let i = 0; i < 100_000; i++) await limiter.take(`key ${i}`);
  expect(await limiter.take('key 99999')).toBeGreaterThan(0);
  expect(await limiter.take('first')).toBe(0);
});
