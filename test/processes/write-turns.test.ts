import { expect, test } from 'vitest';
import { createWriteTurns } from '../../src/processes/write-turns.ts';

function turns() {
  const given: number[] = [];
  return { given, ...createWriteTurns((worker) => given.push(worker)) };
}

test('turns come in the order of asking, one at a time', () => {
  const { given, ask, over } = turns();
  for (const worker of [1, 2, 3, 1]) ask(worker);
  expect(given).toEqual([1]);
  over(1);
  over(2);
  over(3);
  expect(given).toEqual([1, 2, 3, 1]);
  over(1);
  ask(2);
  expect(given).toEqual([1, 2, 3, 1, 2]);
});

test('what one that is gone had, or had asked for, is for the others', () => {
  const { given, ask, over, gone } = turns();
  for (const worker of [1, 2, 1, 3]) ask(worker);
  gone(1);
  expect(given).toEqual([1, 2]);
  // What it had sent before may still arrive.
  over(1);
  expect(given).toEqual([1, 2]);
  over(2);
  expect(given).toEqual([1, 2, 3]);
  gone(3);
  ask(2);
  expect(given).toEqual([1, 2, 3, 2]);
});
