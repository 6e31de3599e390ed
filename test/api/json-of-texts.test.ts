import { expect, onTestFinished, test } from 'vitest';
import { jsonOfTexts } from '../../src/listeners/http/json.ts';

test('an answer with many members is written in pieces, between which others get their turn', async () => {
  const members = Array.from({ length: 10_000 }, (_, i) => [`"${i}\n`, `@user${i}:ä`] as const);
  let turns = 0;
  const count = () => {
    turns++;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  onTestFinished(() => clearImmediate(next));
  expect(JSON.parse(await jsonOfTexts(members))).toEqual(Object.fromEntries(members));
  expect(turns).toBeGreaterThanOrEqual(15);
  expect(await jsonOfTexts([])).toBe('{}');
});
