import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

/** Which folders each folder of src imports from; the one that wires things sees all. Anything new is put here on purpose. */
const IMPORTS: Readonly<Record<string, readonly string[]>> = {
  '.': ['cli'],
  // Of storage only what it is opened with.
  checks: ['config', 'delivery', 'identity', 'model', 'platform', 'replication', 'storage'],
  config: ['model', 'platform', 'signing', 'storage'],
  cli: [
    'app',
    'checks',
    'config',
    'delivery',
    'identity',
    'model',
    'operations',
    'platform',
    'processes',
    'storage',
  ],
  delivery: ['config', 'identity', 'model', 'platform'],
  homeservers: ['identity', 'model', 'platform', 'signing', 'storage'],
  // Of storage only the interfaces: see below.
  identity: ['model', 'platform', 'signing', 'storage'],
  listeners: ['identity', 'model', 'operations', 'platform', 'replication'],
  openid: ['config', 'identity', 'platform'],
  operations: ['checks', 'config', 'identity', 'model', 'platform', 'replication', 'storage'],
  processes: ['app', 'config', 'platform', 'storage'],
  replication: ['config', 'identity', 'model', 'platform', 'signing', 'storage'],
  storage: ['model', 'platform'],
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
  test('are those between folders that are meant, and no others', () => {
    const found: Record<string, string[]> = {};
    for (const { from, to } of imports.filter((one) => files.has(one.to))) {
      const [source, target] = [folderOf(from), folderOf(to)];
      if (source === 'app' || source === target || found[source]?.includes(target)) continue;
      found[source] = [...(found[source] ?? []), target].sort();
    }
    expect(found).toEqual(IMPORTS);
  });

  test('of a start catching up with Sydent are left to the wiring', () => {
    const room = 'identity/adoption/';
    const wrong = imports
      .filter(({ to }) => to.startsWith(room))
      .filter(({ from }) => !from.startsWith(room) && !from.startsWith('app/'));
    expect(wrong).toEqual([]);
  });

  test('of storage show nothing but its interfaces to those who are given it', () => {
    const wrong = imports
      .filter(({ from }) => ['identity', 'homeservers', 'replication'].includes(folderOf(from)))
      .filter(({ to }) => folderOf(to) === 'storage')
      .filter(({ to, typeOnly }) => !to.startsWith('storage/stores/') || !typeOnly);
    expect(wrong).toEqual([]);
  });

  test('bring no HTTP, SQL or network into the domain', () => {
    const wrong = imports
      .filter(({ from, to }) => folderOf(from) === 'identity' && !files.has(to))
      .filter(({ to, typeOnly }) => to !== 'node:crypto' && !(to === 'pino' && typeOnly));
    expect(wrong).toEqual([]);
  });

  test('of the model are of pure functions only', () => {
    const wrong = imports
      .filter(({ from, to }) => folderOf(from) === 'model' && !files.has(to))
      .filter(({ to }) => !['node:crypto', 'node:url'].includes(to));
    expect(wrong).toEqual([]);
  });

  test('make no circle of rooms, even of types alone', () => {
    const next = new Map<string, Set<string>>();
    for (const { from, to } of imports.filter((one) => files.has(one.to))) {
      const [source, target] = [folderOf(from), folderOf(to)];
      if (source !== target) next.set(source, (next.get(source) ?? new Set()).add(target));
    }
    const reachedFrom = (room: string, seen = new Set<string>()): Set<string> => {
      for (const other of next.get(room) ?? []) {
        if (seen.has(other)) continue;
        seen.add(other);
        reachedFrom(other, seen);
      }
      return seen;
    };
    expect([...next.keys()].filter((room) => reachedFrom(room).has(room))).toEqual([]);
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
