import { readdir, readFile } from 'node:fs/promises';
import { SourceMap } from 'node:module';
import path from 'node:path';
import pino from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { beginRotation } from '../../src/identity/peppers/rotation.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { openForCommand } from '../../src/storage/for-command.ts';
import { temporaryFolder } from '../support/databases.ts';
import { spawnCognomen, writeConfig } from '../support/process.ts';

/** Runs in the server: writes down, at its end, which files it loaded as modules, and what of Node. */
const WRITES_DOWN = `
  import { writeFileSync } from 'node:fs';
  import { registerHooks } from 'node:module';
  const files = [];
  registerHooks({
    load(url, context, next) {
      if (url.startsWith('file:')) files.push(url);
      return next(url, context);
    },
  });
  process.on('exit', () =>
    writeFileSync('loaded.json', JSON.stringify({ files, node: process.moduleLoadList })));`;

// How long a start takes is mostly how much it loads, and that is the same on every machine.
test('a start on SQLite loads itself in one piece, and nothing that it does not need', async () => {
  const folder = await temporaryFolder();
  onTestFinished(folder.remove);
  const { file } = await writeConfig(folder.path, { general: 'log.path = sydent.log' });
  const server = spawnCognomen(['serve', '-c', file], {
    cwd: folder.path,
    env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(WRITES_DOWN)}` },
  });
  onTestFinished(() => server.stop('SIGKILL').then(() => {}));
  const log = path.join(folder.path, 'sydent.log');
  await expect.poll(() => readFile(log, 'utf8').catch(() => '')).toContain('Ready');
  expect(await server.stop()).toBe(0);

  const { files, node } = JSON.parse(
    await readFile(path.join(folder.path, 'loaded.json'), 'utf8'),
  ) as { files: string[]; node: string[] };
  const own = files.filter((url) => url.includes('/dist/') && !url.includes('/node_modules/'));
  // Nearly all, and what threads, PostgreSQL and traces use of it, too.
  expect(own.length).toBeLessThanOrEqual(14);
  const packages = files.map((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]);
  expect(new Set(packages)).toContain('fastify');
  const spared = ['kysely', 'pg', 'google-libphonenumber', 'pino-pretty', 'yaml'];
  expect(packages.filter((name) => name !== undefined && spared.includes(name))).toEqual([]);
  // 308 when this was written.
  expect(files.length).toBeLessThan(330);
  // Node's fetch, which comes with an import of node:http.
  expect(node.filter((name) => name.includes('undici/undici'))).toEqual([]);
});

const ROOT = path.join(import.meta.dirname, '../..');
const DIST = path.join(ROOT, 'dist');

test('what is built is of this project, Kysely and OpenTelemetry, whose licences are beside it, and its lines are known by their sources', async () => {
  const names = await readdir(DIST);
  const sources = new Set<string>();
  for (const name of names.filter((one) => one.endsWith('.map'))) {
    const map = JSON.parse(await readFile(path.join(DIST, name), 'utf8'));
    for (const source of map.sources) sources.add(path.relative(ROOT, path.join(DIST, source)));
  }
  const ofOthers = [...sources].filter((one) => !one.startsWith('src/'));
  const packages = ofOthers.map(
    (one) => /node_modules\/(@opentelemetry|(?:@[^/]+\/)?[^/]+)/.exec(one)?.[1] ?? one,
  );
  expect(new Set(packages.filter((one) => !one.startsWith('\0')))).toEqual(
    new Set(['kysely', '@opentelemetry']),
  );
  const licence = (file: string) => readFile(path.join(ROOT, file), 'utf8');
  for (const [built, name] of [
    ['dist/LICENSE-kysely', 'kysely'],
    ['dist/LICENSE-opentelemetry', '@opentelemetry/sdk-trace'],
  ] as const) {
    expect(await licence(built)).toBe(await licence(`node_modules/${name}/LICENSE`));
  }

  const text = "'Ready'";
  for (const name of names.filter((one) => one.endsWith('.js'))) {
    const lines = (await readFile(path.join(DIST, name), 'utf8')).split('\n');
    const line = lines.findIndex((one) => one.includes('"Ready"') || one.includes(text));
    if (line < 0) continue;
    const map = new SourceMap(JSON.parse(await readFile(path.join(DIST, `${name}.map`), 'utf8')));
    const entry = map.findEntry(line, lines[line]?.search(/["']Ready/) ?? 0);
    const file = path.join(DIST, 'originalSource' in entry ? entry.originalSource : '');
    const original = (await readFile(file, 'utf8')).split('\n');
    expect(original['originalLine' in entry ? entry.originalLine : -1]).toContain(text);
    return;
  }
  expect.unreachable('No built file says that the server is ready');
});

test('the thread that hashes with a new pepper begins from the built program, too', async () => {
  const folder = await temporaryFolder();
  onTestFinished(folder.remove);
  const { file } = await writeConfig(folder.path, { db: 'db.file = sydent.db' });
  const server = spawnCognomen(['serve', '-c', file], { cwd: folder.path });
  onTestFinished(() => server.stop('SIGKILL').then(() => {}));
  await server.untilLogged('Ready');

  const config = {
    engine: 'sqlite',
    file: path.join(folder.path, 'sydent.db'),
    backup: false,
    exclusive: false,
  } as const;
  const storage = await openForCommand(config, pino({ level: 'silent' }));
  onTestFinished(() => storage.close());
  const { stores } = storage;
  const before = (await stores.peppers.read()).current;
  await beginRotation(storage, { clock: systemClock, random: secureRandom });
  await expect.poll(async () => (await stores.peppers.read()).current).not.toEqual(before);
  expect(server.log()).not.toContain('Hashing with the new pepper failed');
});
