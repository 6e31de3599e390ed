import { copyFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDatabase, type TestDatabase, temporaryFolder } from '../support/databases.ts';
import { postJson } from '../support/http.ts';
import { beginBeside, hashDetails, lookUp } from '../support/peppers.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';
import { bind, lookup } from '../support/replicating-servers.ts';

const SYDENTS = fileURLToPath(new URL('../fixtures/sydent-2.7/sydent.db', import.meta.url));

const TOKEN = 'token'.padEnd(64, 'x');

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
  await server.stop();
};

/** Changes the source beside everything. */
function inFile(statement: string): void {
  const handle = new Database(path.join(folder.path, 'own.db'));
  handle.exec(statement);
  handle.close();
}

async function count(table: string): Promise<number> {
  const [row] = await postgres.execute(`select count(*) as count from ${table}`);
  return Number(Object(row).count);
}

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
    expect(await copy(file)).toMatchObject({ status: 0 });
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

  test('a database with a rotation of the pepper under way, which goes on there', async () => {
    await filled(3);
    inFile(`insert into accounts (user_id, created_ts) values ('@a:b.test', 1)`);
    inFile(`insert into tokens (token, user_id) values ('${TOKEN}', '@a:b.test')`);
    const rotate = spawn('pepper', 'rotate');
    expect(await rotate.ended, rotate.log()).toBe(0);
    const file = path.join(folder.path, 'own.db');
    const config = { engine: 'sqlite', file, backup: false, exclusive: false } as const;
    expect((await beginBeside(config)).outcome).toBe('begun');
    expect(await copy(urlOf(postgres))).toMatchObject({ status: 0 });
    const server = await serve(postgres.config);
    await expect
      .poll(async () => (await hashDetails(server, TOKEN)).alt_lookup_peppers)
      .toHaveLength(2);
    const { lookup_pepper: now, alt_lookup_peppers: former = [] } = await hashDetails(
      server,
      TOKEN,
    );
    for (const by of [now, ...former]) {
      expect(await lookUp(server, TOKEN, 'user2@sample.test', by)).toBe('@user2:sample.test');
    }
  });

  test('killed on its way it goes on where it was; no server starts on what is there till then', async () => {
    await filled(3);
    inFile(`with recursive n (i) as (select 1 union all select i + 1 from n where i < 60000)
      insert into accepted_terms_urls select '@user' || i || ':sample.test', 'https://a.test' from n`);
    const first = spawn('db', 'copy', '--to', urlOf(postgres));
    await expect
      .poll(() => count('accepted_terms_urls').catch(() => 0), { interval: 20 })
      .toBeGreaterThan(0);
    await first.stop('SIGKILL');
    expect(await count('accepted_terms_urls')).toBeLessThan(60_000);

    await writeConfig(folder.path, { db: postgres.config });
    const refused = spawn();
    expect(await refused.ended).toBe(1);
    expect(refused.log()).toContain('a copy that was not finished');

    await writeConfig(folder.path, { db: 'db.file = own.db' });
    expect(await copy(urlOf(postgres))).toMatchObject({ status: 0 });
    expect(await count('accepted_terms_urls')).toBe(60_000);
    const server = await serve(postgres.config);
    expect(await lookup(server, 'user1@sample.test')).toMatchObject({ mxid: '@user1:sample.test' });
  });

  test('a row that the target cannot store is named; what was changed on the other side meanwhile is found', async () => {
    await filled(3);
    inFile(`insert into peers (name, active) values ('odd.test' || char(0), 0)`);
    expect(await copy(urlOf(postgres))).toMatchObject({
      status: 1,
      output: expect.stringMatching(/id 1 in the table peers .* goes on where it was/),
    });
    inFile('delete from peers');
    await postgres.execute(
      `update global_threepid_associations set mxid = '@x:y.test' where id = 1`,
    );
    expect(await copy(urlOf(postgres))).toMatchObject({
      status: 1,
      output: expect.stringContaining('global_threepid_associations is not the same in both'),
    });
  });

  test('from PostgreSQL: nobody writes meanwhile, tables of others do not count, ids are not used again', async () => {
    const server = await serve(postgres.config);
    for (const name of ['ada', 'bob']) {
      await bind(server, `${name}@sample.test`, `@${name}:sample.test`);
    }
    await server.stop();
    await postgres.execute('delete from global_threepid_associations where id = 2');
    await postgres.execute('create schema zz');
    await postgres.execute('create table zz.accounts (user_id text)');
    await postgres.execute(`insert into accounts values ('@ada:sample.test', 1, '3')`);
    const writer = new pg.Client(urlOf(postgres));
    await writer.connect();
    try {
      await writer.query('begin');
      await writer.query("insert into peers (name, active) values ('late.test', 0)");
      const copying = copy('new.db');
      await expect
        .poll(() =>
          postgres.execute("select from pg_locks where mode = 'ShareLock' and not granted"),
        )
        .not.toEqual([]);
      expect(await readdir(folder.path)).not.toContain('new.db');
      await writer.query('commit');
      expect(await copying).toMatchObject({ status: 0 });
    } finally {
      await writer.end();
    }
    expect((await readdir(folder.path)).filter((name) => name.startsWith('new.db'))).toEqual([
      'new.db',
    ]);
    const file = new Database(path.join(folder.path, 'new.db'));
    try {
      expect(file.prepare('select name from peers').pluck().all()).toEqual(['late.test']);
      expect(file.prepare('select consent_version from accounts').pluck().all()).toEqual(['3']);
      const next = "select seq from sqlite_sequence where name = 'global_threepid_associations'";
      expect(file.prepare(next).pluck().get()).toBe(2);
    } finally {
      file.close();
    }
  });

  test('a database that a newer version has changed is refused: it may have tables that would stay behind', async () => {
    await filled(1);
    inFile(
      "insert into cognomen_migrations values ('9999-from-the-future', '2030-01-01T00:00:00.000Z')",
    );
    const { status, output } = await copy(urlOf(postgres));
    expect(status).toBe(1);
    expect(output).toContain('The database was used by a newer version of Cognomen');
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
});
