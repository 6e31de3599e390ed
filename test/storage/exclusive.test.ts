import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import pino from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/platform/clock.ts';
import { createProgress } from '../../src/platform/progress.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { openSqlite } from '../../src/storage/engines/sqlite/open.ts';
import { temporaryFolder } from '../support/databases.ts';

const CHILD = fileURLToPath(new URL('../support/open-sqlite-child.ts', import.meta.url));
const SQLITE = new URL('../../node_modules/better-sqlite3/lib/index.js', import.meta.url);

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let file: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
  file = path.join(folder.path, 'sydent.db');
});
afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
  await folder.remove();
});

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function start(args: string[], word: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  for await (const chunk of child.stdout ?? []) if (String(chunk).includes(word)) break;
  return child;
}

/** Another program that has the file open, as an old Sydent has it: idle, or in a transaction. */
const foreign = (flags: string, then = '') =>
  start(
    [
      '--input-type=module',
      '-e',
      `import D from '${SQLITE}'; const db = new D('${file}', ${flags}); db.prepare('select 1 from sqlite_master').all(); ${then}; console.log('ready'); process.stdin.resume();`,
    ],
    'ready',
  );

const open = (at = file, exclusive = true, pidFile = '') =>
  openSqlite(
    { engine: 'sqlite', file: at, backup: false, exclusive },
    {
      logger: pino({ level: 'silent' }),
      clock: systemClock,
      random: secureRandom,
      progress: createProgress({ logger: pino({ level: 'silent' }), clock: systemClock }),
      serverName: 'id.test',
      pidFile,
    },
  );

test('a second server on the same file is refused, also by another name; a killed one leaves nothing', async () => {
  const first = await start([CHILD, file], 'open');
  const link = path.join(folder.path, 'link.db');
  await symlink('sydent.db', link);
  await expect(open()).rejects.toThrow(new RegExp(`in use by process ${first.pid} `));
  await expect(open(link)).rejects.toThrow(/in use by process/);
  await expect(open(path.join(folder.path, '.', 'x', '..', 'sydent.db'), false)).rejects.toThrow(
    /in use/,
  );
  await kill(first);
  (await open()).close();
});

test('a second server by way of a link is refused, even when the link came before the file', async () => {
  const link = path.join(folder.path, 'link.db');
  await symlink('sydent.db', link);
  const first = await open(link);
  await expect(open()).rejects.toThrow(/in use/);
  first.close();
});

test('a server that is just stopping is waited for', async () => {
  const first = await start([CHILD, file], 'open');
  const second = open();
  first.stdin?.end();
  (await second).close();
});

test('another program that may write is refused, unless the configuration says so', async () => {
  (await open()).close();
  const other = await foreign('{}');
  await expect(open()).rejects.toThrow(new RegExp(`in use by process ${other.pid} .*node`));
  (await open(file, false)).close();
  await kill(other);
  (await open()).close();
});

test('another program that only reads is none', async () => {
  (await open()).close();
  await foreign('{ readonly: true }');
  (await open()).close();
});

test.each(['immediate', 'exclusive'])(
  'a program in the middle of a write (%s) is refused',
  async (mode) => {
    new Database(file).exec('create table local_threepid_associations (id)').close();
    await foreign('{}', `db.exec('begin ${mode}')`);
    await expect(open(file, false)).rejects.toThrow(/being written by another program/);
  },
);

test.each([String(process.ppid), '999999999', 'nonsense', ''])(
  'a stale pid file (%j) is none',
  async (text) => {
    const pidFile = path.join(folder.path, 'sydent.pid');
    await writeFile(pidFile, text);
    (await open(file, true, pidFile)).close();
  },
);
