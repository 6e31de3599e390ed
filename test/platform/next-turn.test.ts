import { expect, test } from 'vitest';
import { nextTurn } from '../../src/platform/next-turn.ts';

test('of many who wait each gets a turn of its own, and others come in between', async () => {
  const order: string[] = [];
  const work = async (name: string) => {
    await nextTurn();
    order.push(name);
    setImmediate(() => order.push('others'));
  };
  await Promise.all([work('a'), work('b'), work('c')]);
  expect(order).toEqual(['a', 'others', 'b', 'others', 'c']);
});
