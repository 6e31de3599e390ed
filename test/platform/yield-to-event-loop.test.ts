import { expect, test } from 'vitest';
import { yieldToEventLoop } from '../../src/platform/yield-to-event-loop.ts';

test('of many who wait each gets a turn of its own, and others come in between', async () => {
  const order: string[] = [];
  const work = async (name: string) => {
    await yieldToEventLoop();
    order.push(name);
    setImmediate(() => order.push('others'));
  };
  await Promise.all([work('a'), work('b'), work('c')]);
  expect(order).toEqual(['a', 'others', 'b', 'others', 'c']);
});
