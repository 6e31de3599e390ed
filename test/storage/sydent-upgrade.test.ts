import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { foldAddress } from '../../src/model/addresses.ts';
import { lookupHash } from '../../src/model/lookup-hash.ts';
import { createProgress } from '../../src/platform/progress.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { openSqlite } from '../../src/storage/engines/sqlite/open.ts';
import { TABLES } from '../../src/storage/engines/sqlite/sydent-schema.ts';
import { temporaryFolder } from '../support/databases.ts';
import { TestClock } from '../support/server.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let file: string;
const logs: string[] = [];
const logger = pino({}, { write: (line: string) => void logs.push(line) });

beforeEach(async () => {
  folder = await temporaryFolder();
  file = path.join(folder.path, 'sydent.db');
  logs.length = 0;
});
afterEach(() => folder.remove());

const dependencies = () => {
  const clock = new TestClock();
  const progress = createProgress({ logger, clock });
  return { logger, clock, progress, random: secureRandom, serverName: 'id.test', pidFile: '' };
};

const open = (config = {}) =>
  openSqlite({ engine: 'sqlite', file, backup: true, exclusive: true, ...config }, dependencies());

const COMMON = `
  create table threepid_validation_sessions (id integer primary key, medium varchar(16) not null,
    address varchar(256) not null, clientSecret varchar(32) not null, validated int default 0, mtime bigint not null);
  create table threepid_token_auths (id integer primary key, validationSession integer not null,
    token varchar(32) not null, sendAttemptNumber integer not null,
    foreign key (validationSession) references threepid_validations(id));
  create table peers (id integer primary key, name varchar(255) not null, port integer default null,
    lastSentVersion integer, lastPokeSucceededAt integer, active integer not null default 0);
  create unique index name on peers(name);
  create table peer_pubkeys (id integer primary key, peername varchar(255) not null, alg varchar(16) not null,
    key text not null, foreign key (peername) references peers (name));
  create unique index peername_alg on peer_pubkeys(peername, alg);
`;

const associations = (version: number) => {
  const auto = version >= 1 ? 'autoincrement' : '';
  const nullable = version >= 1 ? '' : 'not null';
  const hash = version >= 3 ? ', lookup_hash varchar(256)' : '';
  return `
  create table local_threepid_associations (id integer primary key ${auto}, medium varchar(16) not null,
    address varchar(256) not null, mxid varchar(256) ${nullable}, ts integer ${nullable},
    notBefore bigint ${nullable}, notAfter bigint ${nullable} ${hash});
  create unique index ${version === 0 ? 'medium_address' : 'local_threepid_medium_address'}
    on local_threepid_associations(medium, address);
  create table global_threepid_associations (id integer primary key ${auto}, medium varchar(16) not null,
    address varchar(256) not null, mxid varchar(256) not null, ts integer not null, notBefore bigint not null,
    notAfter integer not null, originServer varchar(255) not null, originId integer not null,
    sgAssoc text not null ${hash});
  create index ${version === 0 ? 'medium_lower_address' : 'global_threepid_medium_lower_address'}
    on global_threepid_associations (medium, lower(address));
  create unique index originServer_originId on global_threepid_associations (originServer, originId);`;
};

/** A file as a Sydent of that schema version would have it. */
function writeOld(version: number): void {
  const db = new Database(file);
  db.pragma('foreign_keys = OFF');
  db.exec(COMMON + associations(version));
  if (version >= 1) {
    db.exec(`${TABLES.invite_tokens}; ${TABLES.ephemeral_public_keys};`);
    db.exec('create index invite_token_token on invite_tokens(token)');
  }
  if (version >= 2) db.exec('create index sessions_mtime on threepid_validation_sessions(mtime)');
  if (version >= 3) {
    db.exec(TABLES.hashing_metadata);
    if (version < 5) {
      db.exec(
        'create index lookup_hash_medium on global_threepid_associations (lookup_hash, medium)',
      );
    }
    db.exec("insert into hashing_metadata values (0, 'OLD')");
  }
  if (version >= 4) db.exec(`${TABLES.accounts}; ${TABLES.tokens}; ${TABLES.accepted_terms_urls};`);
  if (version >= 5) {
    db.exec('create index my_hash on global_threepid_associations (lookup_hash)');
  }
  for (const [id, address] of [
    [3, 'ada@sample.test'],
    [7, 'Grace@Sample.test'],
  ] as const) {
    db.prepare(
      'insert into local_threepid_associations (id, medium, address, mxid, ts, notBefore, notAfter) values (?,?,?,?,?,?,?)',
    ).run(id, 'email', address, '@x:sample.test', 1000 + id, 1, 9);
    db.prepare(
      "insert into global_threepid_associations (medium, address, mxid, ts, notBefore, notAfter, originServer, originId, sgAssoc) values ('email',?,'@x:sample.test',1,1,9,'id.test',?,'{}')",
    ).run(address, id);
  }
  // A peer was told of id 12, which is gone since.
  db.exec("insert into peers (name, lastSentVersion, active) values ('peer.test', 12, 1)");
  db.pragma(`user_version = ${version}`);
  db.close();
}

function shape(db: Database.Database) {
  const tables = db
    .prepare(
      "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by name",
    )
    .pluck()
    .all() as string[];
  return Object.fromEntries(
    tables.map((table) => [
      table,
      {
        columns: (db.pragma(`table_info(${table})`) as Record<string, unknown>[]).map(
          ({ name, notnull, pk }) => `${name} ${notnull} ${pk}`,
        ),
        indexed: (db.pragma(`index_list(${table})`) as { name: string; unique: number }[])
          .map(({ name, unique }) => {
            const parts = db.pragma(`index_xinfo("${name}")`) as {
              name: string | null;
              key: number;
            }[];
            const keys = parts.filter((part) => part.key === 1).map((part) => part.name);
            return `${keys.join(',')} ${unique}`;
          })
          .sort(),
      },
    ]),
  );
}

describe.each([0, 1, 2, 3, 4, 5])('a file of schema version %i', (version) => {
  test('becomes like a new one, keeping ids, never to be used again', async () => {
    writeOld(version);
    const fresh = new Database(':memory:');
    const opened = await open();
    const reference = await openSqlite(
      { engine: 'sqlite', file: ':memory:', backup: true, exclusive: true },
      dependencies(),
    );
    const db = opened.handle;
    const [actual, expected] = [shape(db), shape(reference.handle)];
    for (const [table, description] of Object.entries(expected)) {
      expect(new Set(actual[table]?.columns), table).toEqual(new Set(description.columns));
      for (const index of description.indexed)
        expect(actual[table]?.indexed, table).toContain(index);
    }
    expect(db.pragma('user_version', { simple: true })).toBe(5);
    expect(
      db.prepare('select id, address from local_threepid_associations order by id').all(),
    ).toEqual([
      { id: 3, address: 'ada@sample.test' },
      { id: 7, address: 'Grace@Sample.test' },
    ]);
    // What Sydent does for an unbind, and for a bind.
    const { lastInsertRowid } = db
      .prepare(
        "insert or replace into local_threepid_associations ('medium', 'address', 'mxid', 'ts', 'notBefore', 'notAfter') values ('email', 'ada@sample.test', NULL, 5, null, null)",
      )
      .run();
    expect(Number(lastInsertRowid)).toBeGreaterThan(12);
    fresh.close();
    reference.close();
    opened.close();
  });

  test('has a hash of the folded address in every row', async () => {
    writeOld(version);
    const opened = await open();
    const db = opened.handle;
    const pepper = String(db.prepare('select lookup_pepper from hashing_metadata').pluck().get());
    if (version >= 3) expect(pepper).toBe('OLD');
    else {
      expect(pepper).toMatch(/^[A-Za-z0-9]{32}$/);
      for (const table of ['local_threepid_associations', 'global_threepid_associations']) {
        for (const row of db.prepare(`select address, lookup_hash as hash from ${table}`).all()) {
          const { address, hash } = row as { address: string; hash: string };
          expect(hash).toBe(lookupHash(foldAddress('email', address), 'email', pepper));
        }
      }
    }
    opened.close();
  });

  test('is copied beside itself first, unless that is switched off', async () => {
    writeOld(version);
    (await open({ backup: false })).close();
    expect((await readdir(folder.path)).sort()).toEqual(['sydent.db', 'sydent.db.lock']);
    const again = await temporaryFolder();
    file = path.join(again.path, 'sydent.db');
    writeOld(version);
    (await open()).close();
    const backup = `sydent.db.backup-v${version}-20260101T000000`;
    expect(await readdir(again.path)).toContain(backup);
    const copy = new Database(path.join(again.path, backup), { readonly: true });
    expect(copy.pragma('user_version', { simple: true })).toBe(version);
    expect(copy.prepare('select count(*) from local_threepid_associations').pluck().get()).toBe(2);
    copy.close();
    await again.remove();
  });
});

test('an emptied hashing_metadata means a new pepper for every row', async () => {
  writeOld(5);
  const before = new Database(file);
  before.exec('delete from hashing_metadata');
  before.close();
  const opened = await open();
  const pepper = String(
    opened.handle.prepare('select lookup_pepper from hashing_metadata').pluck().get(),
  );
  expect(
    opened.handle
      .prepare('select lookup_hash from global_threepid_associations order by id')
      .pluck()
      .all(),
  ).toEqual(
    ['ada@sample.test', 'grace@sample.test'].map((address) => lookupHash(address, 'email', pepper)),
  );
  opened.close();
});

test('a file that Sydent upgraded from version 0 gives out no id that the global table knows', async () => {
  (await open()).close();
  const before = new Database(file);
  // Sydent numbered its own rows anew; what it had published of them it left as it was.
  before.exec(
    "insert into local_threepid_associations (medium, address, mxid, ts) values ('email', 'a@b.test', '@a:b.test', 1)",
  );
  before.exec(
    "insert into global_threepid_associations (medium, address, mxid, ts, notBefore, notAfter, originServer, originId, sgAssoc) values ('email', 'c@d.test', '@c:d.test', 1, 1, 9, 'id.test', 30, '{}'), ('email', 'C@d.test', '@c:d.test', 1, 1, 9, 'ID.test', 40, '{}'), ('email', 'e@f.test', '@e:f.test', 1, 1, 9, 'peer.test', 90, '{}')",
  );
  before.close();
  const opened = await open();
  const { lastInsertRowid } = opened.handle
    .prepare(
      "insert into local_threepid_associations (medium, address, ts) values ('email', 'g@h.test', 1)",
    )
    .run();
  expect(lastInsertRowid).toBe(41);
  opened.close();
});

test('rows that a missing unique index let in twice: the newest stays', async () => {
  writeOld(4);
  const before = new Database(file);
  before.exec(
    'insert into accepted_terms_urls values (1, 2); insert into accepted_terms_urls values (1, 2)',
  );
  before.close();
  const opened = await open();
  expect(opened.handle.prepare('select count(*) from accepted_terms_urls').pluck().get()).toBe(1);
  expect(logs.join('')).toContain('Deleted older rows');
  opened.close();
});

test('a new file is private and complete', async () => {
  const opened = await open();
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(opened.handle.pragma('journal_mode', { simple: true })).toBe('wal');
  expect(opened.handle.pragma('synchronous', { simple: true })).toBe(2);
  opened.close();
  expect((await readdir(folder.path)).sort()).toEqual(['sydent.db', 'sydent.db.lock']);
  expect((await stat(`${file}.lock`)).mode & 0o777).toBe(0o600);
});

test('a backup is as private as the file, and what a kill left of an earlier one is gone', async () => {
  writeOld(4);
  await chmod(file, 0o640);
  await writeFile(`${file}.backup.part`, 'left by a kill');
  (await open()).close();
  const backups = (await readdir(folder.path)).filter((name) => name.includes('backup'));
  expect(backups).toEqual(['sydent.db.backup-v4-20260101T000000']);
  expect((await stat(path.join(folder.path, backups[0] ?? ''))).mode & 0o777).toBe(0o640);
});

test.each<[string, (db: Database.Database) => void, RegExp]>([
  ['of a later version', (db) => db.pragma('user_version = 6'), /has user_version 6/],
  ['of something else', (db) => db.exec('create table books (id)'), /not one of Sydent's.*books/],
])('a database %s is refused and not changed', async (_what, make, message) => {
  const db = new Database(file);
  db.exec('create table x (y); drop table x');
  make(db);
  db.close();
  const { mtimeMs } = await stat(file);
  await expect(open()).rejects.toThrow(message);
  expect((await stat(file)).mtimeMs).toBe(mtimeMs);
});

test('a file that is not a database is refused and not changed', async () => {
  await writeFile(file, 'Dear diary, '.repeat(1000));
  await expect(open()).rejects.toThrow(/sydent\.db cannot be opened: file is not a database/);
  expect(await readFile(file, 'utf8')).toMatch(/^Dear diary/);
});

test('a lock file that cannot be used is said', async () => {
  await mkdir(`${file}.lock`);
  await expect(open()).rejects.toThrow(/lock file .*sydent\.db\.lock cannot be used/);
});

test('a folder that is not there is said', async () => {
  file = path.join(folder.path, 'missing', 'sydent.db');
  await expect(open()).rejects.toThrow(/cannot be created/);
});

test('killed in the middle of an upgrade, the file is as it was, and the next start succeeds', async () => {
  writeOld(2);
  const db = new Database(file);
  const insert = db.prepare(
    "insert into global_threepid_associations (medium, address, mxid, ts, notBefore, notAfter, originServer, originId, sgAssoc) values ('email',?,'@x:y',1,1,9,'id.test',?,'{}')",
  );
  db.transaction(() => {
    for (let i = 100; i < 30_000; i++) insert.run(`user${i}@sample.test`, i);
  })();
  db.close();
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('../support/open-sqlite-child.ts', import.meta.url)), file],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  // It says so from within the transaction.
  for await (const chunk of child.stdout) {
    if (String(chunk).includes('hashing')) break;
  }
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  expect(child.signalCode).toBe('SIGKILL');
  const left = new Database(file);
  expect(left.pragma('user_version', { simple: true })).toBe(2);
  expect(shape(left)['hashing_metadata']).toBeUndefined();
  left.close();
  const opened = await open();
  expect(opened.handle.pragma('user_version', { simple: true })).toBe(5);
  opened.close();
});
