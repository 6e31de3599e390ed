import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import Database from 'better-sqlite3';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/platform/clock.ts';
import { createProgress } from '../../src/platform/progress.ts';
import { backUp } from '../../src/storage/backup.ts';
import { temporaryFolder } from '../support/databases.ts';
import { get, postJson } from '../support/http.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';

// Each starts several processes.
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let copy: string;
const running: ServerProcess[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
  copy = path.join(folder.path, 'copy.db');
});
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop('SIGKILL');
  await folder.remove();
});

function spawn(...args: string[]): ServerProcess {
  const server = spawnCognomen(args, { cwd: folder.path });
  running.push(server);
  return server;
}

async function start(db: string) {
  const { url, internalUrl } = await writeConfig(folder.path, { db });
  const server = spawn();
  await server.untilLogged('Ready');
  return { server, url, internalUrl };
}

async function backup(...args: string[]) {
  const command = spawn('db', 'backup', ...args);
  return { status: await command.ended, output: command.log() };
}

const names = async () => (await readdir(folder.path)).filter((name) => /copy|part/.test(name));

/** Binds one address after the other until told to stop; the number of those that were acknowledged. */
function writer(internalUrl: string) {
  let acknowledged = 0;
  let stopped = false;
  const done = (async () => {
    while (!stopped) {
      const { status } = await postJson(`${internalUrl}/_matrix/identity/internal/bind`, {
        medium: 'email',
        address: `user${acknowledged}@sample.test`,
        mxid: `@user${acknowledged}:sample.test`,
      });
      expect(status).toBe(200);
      acknowledged++;
    }
  })();
  return {
    acknowledged: () => acknowledged,
    async stop() {
      stopped = true;
      await done;
    },
  };
}

describe('a backup', () => {
  test('beside a server that writes has all that was acknowledged before it began', async () => {
    const original = await start('db.file = sydent.db');
    const writing = writer(original.internalUrl);
    await expect.poll(writing.acknowledged).toBeGreaterThan(100);
    const before = writing.acknowledged();
    expect(await backup(copy)).toMatchObject({ status: 0 });
    const during = writing.acknowledged();
    await writing.stop();
    expect(during).toBeGreaterThan(before);
    expect(await names()).toEqual(['copy.db']);
    expect((await stat(copy)).mode & 0o777).toBe(0o600);
    // Opens where nothing can be made beside it.
    const handle = new Database(copy, { readonly: true });
    expect(handle.pragma('journal_mode', { simple: true })).toBe('delete');
    handle.close();
    await original.server.stop();

    const { url } = await start('db.file = copy.db');
    for (let number = 0; number < before; number++) {
      const address = `user${number}@sample.test`;
      const { json } = await get(`${url}/_matrix/identity/api/v1/lookup`, {
        medium: 'email',
        address,
      });
      expect(json.mxid).toBe(`@user${number}:sample.test`);
    }
  });

  test('takes the place of no file, and needs a folder', async () => {
    await (await start('db.file = sydent.db')).server.stop();
    await writeFile(copy, 'precious');
    expect(await backup(copy)).toEqual({ status: 1, output: `${copy} is there already\n` });
    expect(await readFile(copy, 'utf8')).toBe('precious');
    // SQLite would play it back into the copy.
    const other = path.join(folder.path, 'other.db');
    await writeFile(`${other}-journal`, '');
    expect((await backup(other)).output).toBe(`${other}-journal is there already\n`);
    const nowhere = path.join(folder.path, 'nowhere');
    const refused = await backup(path.join(nowhere, 'copy.db'));
    expect(refused).toEqual({
      status: 1,
      output: `There is no folder ${nowhere} for the backup\n`,
    });
    expect(await names()).toEqual(['copy.db']);
  });

  test('of what is no database says so', async () => {
    await (await start('db.file = sydent.db')).server.stop();
    await writeFile(path.join(folder.path, 'sydent.db'), 'Dear diary, '.repeat(1000));
    const { status, output } = await backup(copy);
    expect(status).toBe(1);
    expect(output).toMatch(
      /^The database .*sydent\.db cannot be opened: file is not a database\n$/,
    );
    expect(await names()).toEqual([]);
  });

  test('that is broken off leaves nothing behind', async () => {
    await (await start('db.file = sydent.db')).server.stop();
    const progress = createProgress({
      logger: pino({ enabled: false }),
      clock: systemClock,
      signal: AbortSignal.abort(),
    });
    const file = path.join(folder.path, 'sydent.db');
    const config = { engine: 'sqlite', file, backup: true, exclusive: true } as const;
    await expect(backUp(config, copy, progress)).rejects.toThrow(/could not be written: .*abort/);
    expect(await names()).toEqual([]);
  });

  test('of PostgreSQL is left to pg_dump, without the password', async () => {
    await writeConfig(folder.path, { db: 'db.url = postgres://me:hunter2@db.test:5433/matrix' });
    const { status, output } = await backup("it's.dump");
    expect(status).toBe(1);
    expect(output).toBe(
      "The database is PostgreSQL, whose own program backs it up: pg_dump --format=custom --file='it'\\''s.dump' --host=db.test --port=5433 --username=me --dbname=matrix\n",
    );
  });

  test('wants one file', async () => {
    for (const args of [[], ['one', 'two'], ['']]) {
      expect((await backup(...args)).status).toBe(2);
    }
    const help = spawn('db', '--help');
    expect(await help.ended).toBe(0);
    expect(help.log()).toContain('as secret as the database');
  });
});
