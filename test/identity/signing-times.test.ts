import { expect, test } from 'vitest';
import { signingTimes } from '../../src/identity/signing-times.ts';

const HOUR = 60 * 60 * 1000;

/** Which of the keys `new` and `old` may have signed at each time, after these turns. */
async function keysAt(turns: readonly object[], times: readonly number[]) {
  const state = { get: async () => JSON.stringify(turns), set: async () => {} };
  const at = await signingTimes({ state } as never, ['new', 'old']);
  return times.map((time) => at(time));
}

test('a key may have signed until an hour after a new one took over', async () => {
  const turns = [
    { key: 'old', since: 0 },
    { key: 'new', since: 10 * HOUR },
  ];
  expect(await keysAt(turns, [HOUR, 10.5 * HOUR, 12 * HOUR])).toEqual([
    ['old'],
    ['new', 'old'],
    ['new'],
  ]);
});

test('a node that begins with an older file does not end the time of the newer key, by which others sign', async () => {
  const turns = [
    { key: 'old', since: 0 },
    { key: 'new', since: 10 * HOUR },
    { key: 'old', since: 20 * HOUR },
  ];
  expect(await keysAt(turns, [15 * HOUR, 30 * HOUR])).toEqual([['new'], ['new', 'old']]);
});
