import { execFile } from 'node:child_process';
import { copyFile, rename, rm, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDatabase, ENGINES, type TestDatabase } from '../support/databases.ts';
import { probesOf } from '../support/probes.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

describe.runIf(ENGINES.includes('sqlite'))('the SQLite file', () => {
  let database: TestDatabase;
  let file: string;
  let server: TestServer;
  let token: string;
  beforeEach(async () => {
    database = await createDatabase('sqlite');
    file = database.config.slice('db.file = '.length);
    server = await startTestServer({ database });
    token = await server.token('@ada:sample.test');
  });
  afterEach(async () => {
    await server.stop();
    await database.drop();
  });

  const { bind, account, health, found, lines } = probesOf(
    () => server,
    () => token,
  );

  test('that another program writes is read meanwhile; who writes waits, and is refused in the end', async () => {
    await bind('before');
    const other = new Database(file);
    other.exec('begin immediate');
    let isRefused = false;
    const binding = bind('meanwhile').then(({ status, json, headers }) => {
      isRefused = true;
      return { status, errcode: json.errcode, retry: Number(headers.get('retry-after')) };
    });
    for (let time = 0; time < 5; time++) {
      expect((await account()).status).toBe(200);
      expect(await found('before', 'meanwhile')).toEqual(['before']);
      expect(isRefused).toBe(false);
    }
    expect(await binding).toEqual({ status: 503, errcode: 'M_UNKNOWN', retry: expect.any(Number) });
    // Nobody else waits as long.
    await expect.poll(() => lines('The database cannot be used:')).not.toEqual([]);
    expect(lines('The database cannot be used:')[0]).toContain(
      `another program holds the write lock of ${file}`,
    );
    expect((await health()).status).toBe(503);
    expect((await account()).status).toBe(200);

    other.exec('rollback');
    await expect.poll(() => lines('The database can be used again')).not.toEqual([]);
    // The next time is waited for anew.
    other.exec('begin immediate');
    const after = bind('after');
    expect(await found('before')).toEqual(['before']);
    other.exec('rollback');
    other.close();
    expect((await after).status).toBe(200);
    expect((await health()).status).toBe(200);
    expect(await found('before', 'meanwhile', 'after')).toEqual(['before', 'after']);
    expect(lines('The database cannot be used:')).toHaveLength(1);
  });

  test('that another program writes for a moment makes nobody fail', async () => {
    const other = new Database(file);
    other.exec('begin immediate');
    const binding = Promise.all(['one', 'two', 'three'].map(bind));
    expect((await account()).status).toBe(200);
    other.exec('rollback');
    other.close();
    expect((await binding).map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  test.each(['deleted', 'replaced'])(
    'that is %s is noticed: nothing is written into nowhere',
    async (how) => {
      await bind('before');
      const aside = `${file}.aside`;
      await rename(file, aside);
      if (how === 'replaced') await copyFile(aside, file);
      expect((await bind('meanwhile')).status).toBe(503);
      expect((await health()).status).toBe(503);
      expect(await found('before', 'meanwhile')).toEqual(['before']);
      await expect
        .poll(() => lines('while it was open, and nothing is written any more'))
        .not.toEqual([]);

      await rm(file, { force: true });
      await rename(aside, file);
      expect((await bind('after')).status).toBe(200);
      await expect.poll(() => lines('The database can be used again')).not.toEqual([]);
      expect((await health()).status).toBe(200);
      expect(await found('before', 'meanwhile', 'after')).toEqual(['before', 'after']);
    },
  );

  test.runIf(process.platform === 'linux')(
    'that is deleted can be saved as the log says, with all that was answered',
    async () => {
      await bind('before');
      await rm(file);
      const gone = 'was deleted or moved away while it was open';
      await expect.poll(() => lines(gone)).not.toEqual([]);
      const [, from = '', to = ''] = /: cp (\S+) (\S+)\. Then/.exec(lines(gone)[0] ?? '') ?? [];
      // Another process, for this one would end its own locks.
      await promisify(execFile)('cp', [from, to]);
      await server.app.close();
      for (const beside of ['-wal', '-shm']) await rm(`${file}${beside}`, { force: true });
      await rename(to, file);
      await server.restart();
      expect(await found('before')).toEqual(['before']);
      expect((await bind('after')).status).toBe(200);
    },
  );

  test('is noticed to be gone by a server that nobody writes to', async () => {
    await rename(file, `${file}.aside`);
    await expect
      .poll(() => lines('while it was open, and nothing is written any more'))
      .not.toEqual([]);
    await rename(`${file}.aside`, file);
  });

  test('that is damaged is named where the log tells why a request failed', async () => {
    await server.restart();
    await database.execute('pragma wal_checkpoint(truncate)');
    const pages = Math.floor((await stat(file)).size / 4096) - 1;
    const noise = ['if=/dev/urandom', `of=${file}`, 'bs=4096', 'seek=1', 'conv=notrunc'];
    await promisify(execFile)('dd', [...noise, `count=${pages}`]);
    // What was read before is forgotten with the first write.
    for (let time = 0; lines('Request failed').length === 0 && time < 10; time++) {
      const authorization = `Bearer ${token}`;
      await fetch(`${server.url}/_matrix/identity/v2/account`, { headers: { authorization } });
      await bind('after').catch(() => {});
    }
    expect(lines('Request failed')[0]).toContain(`The database ${file} is damaged`);
  });

  test('has a small log again once a long reader is gone', async () => {
    await database.execute('create table ballast (content blob)');
    const reader = new Database(file, { readonly: true });
    reader.exec('begin');
    reader.prepare('select count(*) from ballast').get();
    const writer = new Database(file);
    const insert = writer.prepare('insert into ballast values (randomblob(1000000))');
    const size = async () => (await stat(`${file}-wal`)).size / 2 ** 20;
    while ((await size()) < 80) insert.run();
    await bind('during');
    expect(await size()).toBeGreaterThanOrEqual(80);
    reader.exec('commit');
    reader.close();
    writer.close();
    // The first commit empties the log into the file, the next one begins it anew.
    for (const name of ['one', 'two', 'three']) await bind(name);
    expect(await size()).toBeLessThanOrEqual(65);
  });
});
