import { readFile } from 'node:fs/promises';
import path from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TABLES } from '../../src/storage/engines/sqlite/sydent-schema.ts';
import { temporaryFolder } from '../support/databases.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';

const ROWS = 80_000;
const BOUND = 1_700_000_000_000;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let file: string;
const running: ServerProcess[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
  file = path.join(folder.path, 'sydent.db');
});
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop('SIGKILL');
  await folder.remove();
});

/** A file of Sydent's with so many associations of that server. */
function writeDatabase(count: number, serverName: string): void {
  const db = new Database(file);
  db.pragma('foreign_keys = OFF');
  for (const statement of Object.values(TABLES)) db.exec(statement);
  db.exec(`
    create unique index local_threepid_medium_address on local_threepid_associations (medium, address);
    create unique index originServer_originId on global_threepid_associations (originServer, originId);
    insert into hashing_metadata values (0, 'pepper')`);
  const log = db.prepare(
    "insert into local_threepid_associations (medium, address, mxid, ts, notBefore, notAfter) values ('email', ?, '@a:b.test', ?, 1, 4000000000000)",
  );
  const row = db.prepare(
    "insert into global_threepid_associations (medium, address, mxid, ts, notBefore, notAfter, originServer, originId, sgAssoc) values ('email', ?, '@a:b.test', ?, 1, 4000000000000, ?, ?, '{}')",
  );
  db.transaction(() => {
    for (let i = 1; i <= count; i++) {
      log.run(`User${i}@sample.test`, BOUND);
      row.run(`User${i}@sample.test`, BOUND, serverName, i);
    }
  })();
  db.pragma('user_version = 5');
  db.close();
}

function spawn(): ServerProcess {
  const server = spawnCognomen([], { cwd: folder.path });
  running.push(server);
  return server;
}

function count(query: string): number {
  const db = new Database(file, { readonly: true });
  try {
    return Number(db.prepare(query).pluck().get());
  } finally {
    db.close();
  }
}

const renamed = () =>
  count("select count(*) from global_threepid_associations where originServer = 'ID.test'");
/** Of lookups, made of all keys at once when many are added. */
const indexes = () =>
  count(
    "select count(*) from sqlite_master where type = 'index' and tbl_name = 'cognomen_lookup_keys' and sql is not null",
  );
/** Whether a start is at it; a fast one has nothing to say of how far it is. */
function isIndexing(): boolean {
  try {
    return (
      count("select count(*) from cognomen_state where key = 'key_indexes'") > 0 && indexed() > 0
    );
  } catch {
    // There are no tables of ours yet.
    return false;
  }
}
const indexed = () => count('select count(distinct global_id) from cognomen_lookup_keys');

test('a long start says how far it is at any level, stops when told to, and survives a kill', async () => {
  writeDatabase(ROWS, 'id.test');
  await writeConfig(folder.path, { general: 'log.level = ERROR' }, 'ID.test');

  const stopped = spawn();
  await expect.poll(isIndexing, { interval: 10 }).toBe(true);
  const told = performance.now();
  expect(await stopped.stop('SIGTERM')).toBe(0);
  expect(performance.now() - told).toBeLessThan(10_000);
  expect(stopped.log()).not.toContain('could not start');
  const before = indexed();
  expect(before).toBeGreaterThan(0);
  expect(before).toBeLessThan(ROWS);
  expect(indexes()).toBe(0);

  const killed = spawn();
  await killed.untilLogged('Renaming associations of id.test to ID.test');
  expect(await killed.stop('SIGKILL')).toBe('SIGKILL');
  expect(indexed()).toBe(ROWS);
  expect(indexes()).toBe(2);
  expect(renamed()).toBeGreaterThan(0);
  expect(renamed()).toBeLessThan(ROWS);

  const last = spawn();
  await last.untilLogged('Renaming associations of id.test to ID.test: done, in ');
  await expect.poll(renamed).toBe(ROWS);
  for (const line of last.log().trim().split('\n')) expect(JSON.parse(line).level).toBe('info');
  expect(await last.stop()).toBe(0);
});

test('a start that takes no time says nothing of it', async () => {
  writeDatabase(10, 'id.test');
  await writeConfig(folder.path, {}, 'ID.test');
  const server = spawn();
  await server.untilLogged('Ready');
  expect(server.log()).not.toMatch(/in all|s left|done, in/);
  expect(await server.stop()).toBe(0);
});

test('a large file whose pepper was emptied says what takes long, and can be stopped in it', async () => {
  writeDatabase(ROWS * 2, 'id.test');
  const db = new Database(file);
  db.exec('delete from hashing_metadata');
  db.close();
  const log = path.join(folder.path, 'sydent.log');
  const general = `log.level = WARNING\nlog.path = ${log}`;
  await writeConfig(folder.path, { general, db: 'db.backup = false' }, 'id.test');
  const server = spawn();
  const logged = () => readFile(log, 'utf8').catch(() => '');
  await expect.poll(logged, { interval: 20 }).toContain('Hashing the addresses with a new pepper');
  expect(await server.stop('SIGTERM')).toBe(0);
  // Nothing half done: the upgrade is one transaction.
  expect(count('select count(*) from hashing_metadata')).toBe(0);
});
