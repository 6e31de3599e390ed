import { expect, test } from 'vitest';
import { textLines } from '../../src/platform/text-lines.ts';

async function read(portions: readonly (string | readonly number[])[], longest = 100) {
  const bytes = portions.map((one) =>
    typeof one === 'string' ? Buffer.from(one) : Uint8Array.from(one),
  );
  const found: (string | undefined)[] = [];
  for await (const { number, text } of textLines(bytes, longest)) found[number - 1] = text;
  return found;
}

test('lines are the same whatever portions their bytes come in', async () => {
  const text = '\ufeffone\r\n\nstraße ☃\nlast';
  const whole = ['one', '', 'straße ☃', 'last'];
  expect(await read([text])).toEqual(whole);
  expect(await read([...Buffer.from(text)].map((byte) => [byte]))).toEqual(whole);
  expect(await read([`${text}\n`])).toEqual(whole);
  expect(await read([])).toEqual([]);
});

test('what is too long, or no UTF-8, is a line of which the text is not told', async () => {
  const long = 'x'.repeat(60);
  expect(await read([`${'x'.repeat(100)}\nx`])).toEqual(['x'.repeat(100), 'x']);
  expect(await read([long, long, '\nshort\n', [0xff, 0x0a], 'end'])).toEqual([
    undefined,
    'short',
    undefined,
    'end',
  ]);
  expect(await read([long, long])).toEqual([undefined]);
});
