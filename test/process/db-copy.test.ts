import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDatabase, type TestDatabase, temporaryFolder } from '../support/databases.ts';
import { get, postJson } from '../support/http.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';
import { bind, lookup } from '../support/replicating-servers.ts';

const SYDENTS = fileURLToPath(new URL('../fixtures/sydent-2.7/sydent.db', import.meta.url));
const V2 = '/_matrix/identity/v2';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let postgres: TestDatabase;
const running: ServerProcess[] = [];
beforeEach(async () => {
  folder = await temporaryFolder();
  postgres = await createDatabase('postgres');
});
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop('SIGKILL');
  await postgres.drop();
  await folder.remove();
});

const urlOf = (database: TestDatabase) =>
  database.config.replace(/^db\.url = /, '').replaceAll('%%', '%');

function spawn(...args: string[]): ServerProcess {
  const one = spawnCognomen(args, { cwd: folder.path });
  running.push(one);
  return one;
}

async function copy(to: string) {
  const command = spawn('db', 'copy', '--to', to);
  return { status: await command.ended, output: command.log() };
}

/** The server on that database, until it is stopped. */
async function serve(db: string) {
  const { url, internalUrl } = await writeConfig(folder.path, { db });
  const server = spawn();
  await server.untilLogged('Ready');
  return { url, internalUrl, stop: () => server.stop() };
}

const filled = async (count: number) => {
  const server = await serve('db.file = own.db');
  for (let i = 0; i < count; i++) {
    await bind(server, `user${i}@sample.test`, `@user${i}:sample.test`);
  }
  await postJson(`${server.url}/_matrix/identity/api/v1/validate/email/requestToken`, {
    email: 'ada@sample.test',
    client_secret: 'secret',
    send_attempt: 1,
  });
  const pepper = (await get(`${server.url}${V2}/hash_details`)).json;
  await server.stop();
  return pepper;
};

describe('cognomen db copy', () => {
  test('a SQLite database to PostgreSQL and back: the server goes on with it as before', async () => {
    await filled(12);
    const there = await copy(urlOf(postgres));
    expect(there).toMatchObject({ status: 0, output: expect.stringMatching(/: 12\n[\s\S]*same/) });
    expect(there.output).not.toContain(urlOf(postgres));

    const onPostgres = await serve(postgres.config);
    expect(await lookup(onPostgres, 'user3@sample.test')).toMatchObject({
      mxid: '@user3:sample.test',
    });
    // The ids go on where they were: peers go by them.
    await bind(onPostgres, 'new@sample.test', '@new:sample.test');
    const [last] = await postgres.execute('select max(id) as id from local_threepid_associations');
    expect(last).toEqual({ id: '13' });
    await onPostgres.stop();

    const file = path.join(folder.path, 'back.db');
    expect(await copy(file)).toMatchObject({ status: 0, output: expect.any(String) });
    const back = await serve(`db.file = ${file}`);
    for (const name of ['user3', 'new']) {
      expect(await lookup(back, `${name}@sample.test`)).toMatchObject({
        mxid: `@${name}:sample.test`,
      });
    }
  });

  test('a database of Sydent’s is taken over on the other side', async () => {
    await copyFile(SYDENTS, path.join(folder.path, 'sydent.db'));
    await writeConfig(folder.path);
    expect(await copy(urlOf(postgres))).toMatchObject({ status: 0 });
    const [row] = (await postgres.execute(
      'select address, mxid from global_threepid_associations where medium = \'email\' and "notAfter" > 2000000000000 order by id desc limit 1',
    )) as { address: string; mxid: string }[];
    const server = await serve(postgres.config);
    expect(await lookup(server, row?.address ?? '')).toMatchObject({ mxid: row?.mxid });
  });

  test('killed on its way it goes on where it was; no server starts on what is there till then', async () => {
    await filled(3);
    // A row that PostgreSQL cannot store stops it half-way, as a kill would.
    const { execute } = await import('better-sqlite3').then(({ default: Database }) => ({
      execute(statement: string) {
        const handle = new Database(path.join(folder.path, 'own.db'));
        handle.exec(statement);
        handle.close();
      },
    }));
    execute(`insert into peers (name, active) values ('odd.test' || char(0), 0)`);
    const first = await copy(urlOf(postgres));
    expect(first).toMatchObject({
      status: 1,
      output: expect.stringMatching(/id 1 in the table peers .* goes on where it was/),
    });
    await writeConfig(folder.path, { db: postgres.config });
    const refused = spawn();
    expect(await refused.ended).toBe(1);
    expect(refused.log()).toContain('a copy that was not finished');

    await writeConfig(folder.path, { db: 'db.file = own.db' });
    execute(`delete from peers`);
    expect(await copy(urlOf(postgres))).toMatchObject({ status: 0 });
    const server = await serve(postgres.config);
    expect(await lookup(server, 'user1@sample.test')).toMatchObject({ mxid: '@user1:sample.test' });
  });

  test('a target with something in it, a running server, and what is none are refused', async () => {
    await filled(1);
    const again = await createDatabase('postgres');
    try {
      expect(await copy(urlOf(again))).toMatchObject({ status: 0 });
      expect(await copy(urlOf(again))).toMatchObject({
        status: 1,
        output: expect.stringContaining('global_threepid_associations has rows'),
      });
    } finally {
      await again.drop();
    }
    await serve('db.file = own.db');
    expect(await copy(urlOf(postgres))).toMatchObject({
      status: 1,
      output: expect.stringContaining('in use by'),
    });
    expect(await copy('mysql://a@b/c')).toMatchObject({
      status: 2,
      output: expect.stringContaining('postgres://user@host/database'),
    });
  });

  test('a source that changes meanwhile is noticed', async () => {
    await filled(2);
    await copy(urlOf(postgres));
    await writeConfig(folder.path, { db: postgres.config });
    const other = await createDatabase('postgres');
    try {
      expect(await copy(urlOf(other))).toMatchObject({ status: 0 });
      // As if it had stopped before it was compared, and somebody had gone on writing.
      const [row] = (await postgres.execute('select lookup_pepper from hashing_metadata')) as {
        lookup_pepper: string;
      }[];
      const { createHash } = await import('node:crypto');
      const source = createHash('sha256')
        .update(`copy of ${row?.lookup_pepper}`)
        .digest('hex')
        .slice(0, 16);
      const { KEYS } = await import('../../src/storage/copying/tables.ts');
      await other.execute(`insert into cognomen_state (key, value) values ('unfinished_copy', ?)`, [
        JSON.stringify({ source, done: Object.keys(KEYS) }),
      ]);
      await postgres.execute(
        `update global_threepid_associations set mxid = '@x:y.test' where id = 1`,
      );
      expect(await copy(urlOf(other))).toMatchObject({
        status: 1,
        output: expect.stringContaining('global_threepid_associations is not the same in both'),
      });
    } finally {
      await other.drop();
    }
  });
});
