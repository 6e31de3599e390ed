import { expect, test } from 'vitest';
import { deleteInBatches } from '../../src/platform/delete-in-batches.ts';

function batchesOf(rows: number) {
  let left = rows;
  return (limit: number): number => {
    const batch = Math.min(limit, left);
    left -= batch;
    return batch;
  };
}

test.each([
  [1200, 3],
  [1000, 3],
  [0, 1],
])('deletes until a batch is not full: %i rows in %i', async (rows, batches) => {
  const next = batchesOf(rows);
  let count = 0;
  const deleted = await deleteInBatches(async (limit) => {
    count++;
    return next(limit);
  });
  expect([deleted, count]).toEqual([rows, batches]);
});

test('lets others have their turn between two batches', async () => {
  let turns = 0;
  let isOver = false;
  const other = () => {
    turns++;
    if (!isOver) setImmediate(other);
  };
  setImmediate(other);
  const next = batchesOf(5000);
  const seen: number[] = [];
  await deleteInBatches(async (limit) => {
    seen.push(turns);
    return next(limit);
  });
  isOver = true;
  expect(new Set(seen).size).toBe(seen.length);
});
