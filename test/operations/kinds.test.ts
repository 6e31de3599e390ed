import { expect, test } from 'vitest';
import { OPERATIONS } from '../../src/operations/operations.ts';

test('whatever tells of people is in the trail of operators', () => {
  const names = OPERATIONS.filter(({ result }) =>
    /"(?:address|mxid|user_id)":/.test(JSON.stringify(result)),
  );
  expect(names.length).toBeGreaterThan(5);
  expect(names.filter(({ kind }) => kind === 'overview')).toEqual([]);
});
