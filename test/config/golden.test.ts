import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';

/** Maps and keys as something a snapshot can hold. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (value instanceof Map) return plain(Object.fromEntries(value));
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value ?? 'undefined';
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plain(member)]));
}

test.each(['oldest', 'middle', 'newest'])(
  'the %s kind of file is read as it was meant',
  async (age) => {
    const file = new URL(`golden/${age}.conf`, import.meta.url);
    const { config, warnings } = parseConfig(`${age}.conf`, await readFile(file, 'utf8'), {
      env: {},
      hostname: 'host.example.org',
    });
    await expect(
      `${JSON.stringify({ warnings, config: plain(config) }, null, 2)}\n`,
    ).toMatchFileSnapshot(`golden/${age}.json`);
  },
);
