import { open } from 'node:fs/promises';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  createDatabase,
  ENGINES,
  type EngineName,
  type TestDatabase,
  temporaryFolder,
} from '../support/databases.ts';
import { postJson } from '../support/http.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';

// Each starts several processes.
const ADDRESSES = ['ada@sample.test', 'Grace.Hopper@Sample.test', 'édith@bücher.test'];
/** Of the orphaned key. */
const GONE = 999_999;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let database: TestDatabase;
let server: ServerProcess;

async function start(engine: EngineName): Promise<void> {
  folder = await temporaryFolder();
  database = await createDatabase(engine);
  const { internalUrl } = await writeConfig(folder.path, { db: database.config });
  server = spawnCognomen([], { cwd: folder.path });
  await server.untilLogged('Ready');
  for (const address of ADDRESSES) {
    const body = { medium: 'email', address, mxid: '@someone:sample.test' };
    const { status } = await postJson(`${internalUrl}/_matrix/identity/internal/bind`, body);
    expect(status).toBe(200);
  }
}

afterEach(async () => {
  await server?.stop('SIGKILL');
  await database?.drop();
  await folder?.remove();
});

async function verify(...args: string[]) {
  const command = spawnCognomen(['db', 'verify', ...args], { cwd: folder.path });
  return { status: await command.ended, output: command.log() };
}

const keys = () =>
  database.execute('select * from cognomen_lookup_keys order by global_id, spelling');

/** The ids, in the order of the addresses. */
async function ids(): Promise<number[]> {
  const rows = await database.execute('select id from global_threepid_associations order by id');
  return rows.map((row) => Number((row as { id: number | string }).id));
}

const setSigned = (id: number, change: (json: string) => string) =>
  database
    .execute('select "sgAssoc" as json from global_threepid_associations where id = ?', [id])
    .then(([row]) =>
      database.execute('update global_threepid_associations set "sgAssoc" = ? where id = ?', [
        change((row as { json: string }).json),
        id,
      ]),
    );

describe.each(ENGINES)('verifying a database beside its server, on %s,', (engine) => {
  beforeEach(() => start(engine));

  test('finds all well, in whatever spelling it was bound', async () => {
    const { status, output } = await verify();
    expect(output).toMatch(/3 associations and \d+ keys of lookups were checked\nAll is well\n$/);
    expect(status).toBe(0);
    expect((await keys()).length).toBeGreaterThan(3);
  });

  test('finds keys that are missing, wrong or left over, and makes them anew', async () => {
    const before = await keys();
    const [first = 0, second = 0, third = 0] = await ids();
    await database.execute('delete from cognomen_lookup_keys where global_id = ?', [first]);
    await database.execute(
      "update cognomen_lookup_keys set lookup_hash = 'x' where global_id = ?",
      [second],
    );
    await database.execute("insert into cognomen_lookup_keys values (?, 'eve@evil.test', 'y')", [
      third,
    ]);
    await database.execute("insert into cognomen_lookup_keys values (?, 'gone@evil.test', 'z')", [
      GONE,
    ]);
    const found = await verify();
    expect(found.status).toBe(1);
    expect(found.output).toContain(`1 associations that lack keys of lookups: ${first}\n`);
    expect(found.output).toContain(
      `2 associations with wrong keys of lookups: ${second}, ${third}\n`,
    );
    expect(found.output).toContain(`with keys of lookups left: ${GONE}\n`);
    expect(found.output).toMatch(/--repair[\s\S]*Not all is well\n$/);
    expect(found.output).not.toContain('@');

    const repaired = await verify('--repair');
    expect(repaired.output).toMatch(/\(repaired\)[\s\S]*All is well\n$/);
    expect(repaired.status).toBe(0);
    expect(await keys()).toEqual(before);
    expect((await verify()).status).toBe(0);
  });

  test('the same by a pepper that is in force since a rotation', async () => {
    const rotated = () =>
      database.execute('select * from cognomen_rotated_keys order by lookup_hash');
    const rotate = spawnCognomen(['pepper', 'rotate'], { cwd: folder.path });
    expect(await rotate.ended).toBe(0);
    const before = await rotated();
    expect(before).toHaveLength((await keys()).length);
    expect((await verify()).output).toMatch(/All is well\n$/);

    const [first = 0, second = 0] = await ids();
    await database.execute('delete from cognomen_rotated_keys where global_id = ?', [first]);
    await database.execute("insert into cognomen_rotated_keys values (1, 'x', ?)", [second]);
    const found = await verify();
    expect(found.status).toBe(1);
    expect(found.output).toContain(`1 associations that lack keys of lookups: ${first}\n`);
    expect(found.output).toContain(`1 associations with wrong keys of lookups: ${second}\n`);
    expect((await verify('--repair')).status).toBe(0);
    expect(await rotated()).toEqual(before);
    expect((await verify()).status).toBe(0);
  });

  test('names five of many', async () => {
    for (let id = GONE; id < GONE + 7; id++) {
      await database.execute("insert into cognomen_lookup_keys values (?, 'a', 'b')", [id]);
    }
    const some = [0, 1, 2, 3, 4].map((more) => GONE + more).join(', ');
    expect((await verify()).output).toMatch(new RegExp(`^7 .*: such as ${some}\n`, 'm'));
  });

  test('finds what was signed and says something else, and what cannot be mended', async () => {
    const [first = 0, second = 0, third = 0] = await ids();
    await setSigned(first, () => '{"address": ');
    await database.execute('update global_threepid_associations set mxid = ? where id = ?', [
      '@eve:evil.test',
      second,
    ]);
    await setSigned(third, (json) => json.replace(/("ed25519:\w+":")./, '$1/'));
    for (const args of [[], ['--repair']]) {
      const { status, output } = await verify(...args);
      expect(status).toBe(1);
      expect(output).toContain(`1 associations whose signed JSON holds none: ${first}\n`);
      expect(output).toContain(`says something else than their columns: ${second}\n`);
      expect(output).toContain(
        `1 associations of this server that none of its keys has signed: ${third}\n`,
      );
      expect(output).toMatch(/What to do: .*old_keys.*bind them anew\n[\s\S]*Not all is well\n$/);
      expect(output).not.toContain('@');
    }
  });

  test('checks the form only of what a peer signed, and makes keys of the spelling it came in', async () => {
    const insert = (originId: number, signed: string) =>
      database.execute(
        'insert into global_threepid_associations (medium, address, mxid, ts, "notBefore", "notAfter", "originServer", "originId", "sgAssoc") values (?, ?, ?, 1, 1, 9, ?, ?, ?)',
        ['email', 'mixed@peer.test', '@m:peer.test', 'peer.test', originId, signed],
      );
    const association = { medium: 'email', address: 'Mixed@peer.test', mxid: '@m:peer.test' };
    await insert(1, JSON.stringify({ ...association, ts: 1, not_before: 1, not_after: 9 }));
    await insert(2, '{}');
    const [good = 0, bad = 0] = (await ids()).slice(ADDRESSES.length);
    const { status, output } = await verify('--repair');
    expect(status).toBe(1);
    expect(output).toContain(
      `2 associations that lack keys of lookups: ${good}, ${bad} (repaired)`,
    );
    expect(output).toContain(`1 associations whose signed JSON holds none: ${bad}\n`);
    expect(output).not.toContain('none of its keys');
    const made = await database.execute(
      'select spelling from cognomen_lookup_keys where global_id = ? order by spelling',
      [good],
    );
    expect(made.map((row) => (row as { spelling: string }).spelling).toSorted()).toEqual([
      'Mixed@peer.test',
      'mixed@peer.test',
    ]);
  });

  test('knows the keys that this server had before', async () => {
    const crypto = `ed25519.signingkey = ed25519 new ${'A'.repeat(42)}E`;
    await writeConfig(folder.path, { db: database.config, crypto });
    const { status, output } = await verify();
    expect(output).toMatch(/^3 associations of this server that none of its keys has signed/m);
    expect(status).toBe(1);
    const old = 'ed25519.old_keys = ed25519 0 XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI';
    await writeConfig(folder.path, { db: database.config, crypto: `${crypto}\n${old}` });
    expect((await verify()).status).toBe(0);
  });

  test('is not mistaken for another command', async () => {
    for (const args of [['more'], ['--key', 'x']]) expect((await verify(...args)).status).toBe(2);
    const command = spawnCognomen(['db', 'backup', 'x', '--repair'], { cwd: folder.path });
    expect(await command.ended).toBe(2);
  });
});

describe.runIf(ENGINES.includes('sqlite'))('a SQLite file that is damaged', () => {
  beforeEach(() => start('sqlite'));

  test('is found, and what to do is said', async () => {
    await server.stop();
    const file = database.config.replace('db.file = ', '');
    const handle = new Database(file);
    const root = handle
      .prepare("select rootpage from sqlite_master where name = 'cognomen_lookup_keys_hash'")
      .pluck()
      .get() as number;
    const size = handle.pragma('page_size', { simple: true }) as number;
    handle.close();
    const opened = await open(file, 'r+');
    await opened.write(Buffer.alloc(size), 0, size, (root - 1) * size);
    await opened.close();
    const { status, output } = await verify('--repair');
    expect(status).toBe(1);
    expect(output).toMatch(
      /^The file is damaged; .*\n {2}What to do: stop the server.*nothing is repaired in it\n/m,
    );
    expect(output).toMatch(/Not all is well\n$/);
  });

  test('is found by an index that lacks a row, and nothing is repaired in it', async () => {
    await server.stop();
    const file = database.config.replace('db.file = ', '');
    const change = (work: (handle: Database.Database) => void) => {
      const handle = new Database(file).unsafeMode();
      handle.pragma('writable_schema = ON');
      work(handle);
      handle.close();
    };
    let index: unknown[] = [];
    change((handle) => {
      const where = "where name = 'cognomen_lookup_keys_hash'";
      index = handle.prepare(`select * from sqlite_master ${where}`).raw().get() as unknown[];
      handle.exec(`delete from sqlite_master ${where}`);
    });
    change((handle) => {
      handle.exec(`insert into cognomen_lookup_keys values (${GONE}, 'a', 'b')`);
      handle.prepare('insert into sqlite_master values (?, ?, ?, ?, ?)').run(...index);
    });
    const before = await keys();
    const { status, output } = await verify('--repair');
    expect(status).toBe(1);
    expect(output).toMatch(
      /SQLite finds: .*; row \d+ missing from index cognomen_lookup_keys_hash/,
    );
    expect(output).toContain(`with keys of lookups left: ${GONE}\n`);
    expect(output).toMatch(/Not all is well\n$/);
    expect(await keys()).toEqual(before);
  });
});
