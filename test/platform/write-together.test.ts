import { expect, test } from 'vitest';
import { writeTogether } from '../../src/platform/write-together.ts';

/** How many octets are written at once, when so many lines come in one turn. */
async function writesOf(line: string, count: number, isShared?: boolean): Promise<number[]> {
  const sizes: number[] = [];
  let all = '';
  const log = writeTogether(
    {
      write(text) {
        sizes.push(Buffer.byteLength(text));
        all += text;
      },
    },
    isShared,
  );
  for (let each = 0; each < count; each++) log.write(line, false);
  await new Promise((resolve) => setImmediate(resolve));
  expect(all).toBe(line.repeat(count));
  return sizes;
}

test('the lines of one turn are written together', async () => {
  expect(await writesOf('a line\n', 100)).toEqual([700]);
});

test('of several processes none writes more at once than a pipe takes whole, but for a line that is longer', async () => {
  const sizes = await writesOf(`${'ä'.repeat(300)}\n`, 40, true);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(4096);
  expect(sizes.length).toBeLessThan(10);
  expect(await writesOf(`${'x'.repeat(5000)}\n`, 2, true)).toEqual([5001, 5001]);
});
