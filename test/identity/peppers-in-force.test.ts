import pino from 'pino';
import { expect, test } from 'vitest';
import { createPeppersInForce } from '../../src/identity/peppers/peppers-in-force.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { openStorage } from '../../src/storage/open.ts';
import { SERVER_NAME, TestClock } from '../support/server.ts';

test('a pepper that another process has put in force works at once, and tells of itself once', async () => {
  const clock = new TestClock();
  const storage = await openStorage(
    { engine: 'sqlite', file: ':memory:', backup: false, exclusive: false },
    {
      logger: pino({ level: 'silent' }),
      clock,
      random: secureRandom,
      serverName: SERVER_NAME,
      pidFile: '',
    },
  );
  const told: string[] = [];
  const inForce = (pepper: string) => void told.push(pepper);
  const peppers = createPeppersInForce({ storage, clock, inForce });
  const first = storage.pepper;
  expect(await peppers.all()).toEqual([{ number: 0, pepper: first }]);
  const until = clock.now() + 1000;
  await storage.logTransaction((stores) =>
    stores.peppers.write({
      current: { number: 1, pepper: 'second', since: clock.now() },
      next: { number: 2, pepper: 'third', begun: clock.now() },
      former: [{ number: 0, until }],
      gone: [],
    }),
  );
  expect(await peppers.numberOf('second')).toBe(1);
  expect(await peppers.numberOf(first)).toBe(0);
  for (const unknown of ['third', '', 'undefined']) {
    expect(await peppers.numberOf(unknown)).toBeUndefined();
  }
  expect(told).toEqual([first, 'second']);
  clock.advance(999);
  expect(await peppers.numberOf(first)).toBe(0);
  clock.advance(1);
  expect(await peppers.numberOf(first)).toBeUndefined();
  expect(await peppers.all()).toEqual([{ number: 1, pepper: 'second' }]);
  await storage.close();
});
