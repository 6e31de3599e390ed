import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

/** Which folders each folder of src may import from. Files in src itself wire things: they see all. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  platform: ['config'],
  signing: [],
  // Of storage only the interfaces: see below.
  identity: ['signing', 'platform', 'storage'],
  config: ['identity', 'signing', 'platform'],
  storage: ['config', 'identity', 'platform'],
  delivery: ['config', 'identity', 'platform', 'storage'],
  homeservers: ['config', 'identity', 'platform', 'signing'],
  replication: ['config', 'identity', 'platform', 'signing', 'storage'],
  listeners: ['config', 'identity', 'platform', 'replication', 'storage'],
  cli: ['config', 'identity', 'platform', 'replication', 'signing', 'storage', '.'],
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

let files: Map<string, string>;
let imports: Import[];

const folderOf = (file: string) => (file.includes('/') ? (file.split('/')[0] ?? '.') : '.');

beforeAll(async () => {
  const names = (await readdir(SRC, { recursive: true })).filter((name) => name.endsWith('.ts'));
  files = new Map(
    await Promise.all(
      names.map(async (name) => [name, await readFile(path.join(SRC, name), 'utf8')] as const),
    ),
  );
  imports = [...files].flatMap(([from, text]) =>
    [
      ...text.matchAll(/^(?:import|export) (type )?(?:[^;'"]*? from )?'([^']+)';$/gm),
      ...text.matchAll(/import\(()'([^']+)'\)/g),
    ].map(([, type, to = '']) => ({
      from,
      to: to.startsWith('.') ? path.join(path.dirname(from), to) : to,
      typeOnly: type?.trim() === 'type',
    })),
  );
});

describe('imports', () => {
  test('go one way only', () => {
    const wrong = imports
      .filter(({ to }) => files.has(to))
      .filter(({ from, to }) => {
        const [source, target] = [folderOf(from), folderOf(to)];
        return source !== '.' && source !== target && !MAY_IMPORT[source]?.includes(target);
      });
    expect(wrong).toEqual([]);
  });

  test('of storage show nothing but its interfaces to those who are given it', () => {
    const wrong = imports
      .filter(({ from }) =>
        ['identity', 'listeners', 'delivery', 'replication'].includes(folderOf(from)),
      )
      .filter(({ to }) => folderOf(to) === 'storage')
      .filter(({ to, typeOnly }) => to !== 'storage/stores.ts' || !typeOnly);
    expect(wrong).toEqual([]);
  });

  test('bring no HTTP, SQL or network into the domain', () => {
    const wrong = imports
      .filter(({ from, to }) => folderOf(from) === 'identity' && !files.has(to))
      .filter(({ to, typeOnly }) => to !== 'node:crypto' && !(to === 'pino' && typeOnly));
    expect(wrong).toEqual([]);
  });
});

test('the clock and randomness have one home each', () => {
  const wrong = [...files].flatMap(([file, text]) =>
    [...text.matchAll(/Date\.now\(|new Date\(\)|Math\.random\(|\bfetch\(|performance\.now\(/g)]
      .filter(() => file !== 'platform/clock.ts' && file !== 'platform/random.ts')
      .map(([use]) => `${file}: ${use}`),
  );
  expect(wrong).toEqual([]);
});

test('no file is longer than 300 lines', () => {
  const long = [...files].filter(([, text]) => text.split('\n').length > 300).map(([file]) => file);
  expect(long).toEqual([]);
});
