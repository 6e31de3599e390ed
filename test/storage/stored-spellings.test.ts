import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { foldAddress } from '../../src/model/addresses.ts';
import { lookupHash } from '../../src/model/lookup-hash.ts';
import { createDatabase, ENGINES, type TestDatabase } from '../support/databases.ts';
import { createEarlierDatabase } from '../support/earlier-database.ts';
import { get, postJson } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const NOW = Date.UTC(2025, 0, 2);

/** Spellings that were stored or sent, and whose address that is. */
const EARLIER = {
  sqlite: [
    ['Mixed.Name@Example.test', '@mixed:hs.test'],
    ['Peer.Old@Example.test', '@old:peer.test'],
    ['Peer.New@Example.test', '@new:peer.test'],
    ['Pushed.Name@Example.test', '@pushed:peer.test'],
    ['New.Person@Example.test', '@person:hs.test'],
  ],
  postgres: [
    ['Pushed.Name@Example.test', '@pushed:peer.test'],
    ['New.Person@Example.test', '@person:hs.test'],
  ],
} as const;

describe.each(ENGINES)('the spelling in which an association was stored, on %s,', (engine) => {
  let database: TestDatabase;
  let server: TestServer;
  const start = async (serverName = 'ID.Example.org') => {
    server = await startTestServer({ engine, serverName, now: NOW, database });
  };
  beforeEach(async () => {
    database = await createEarlierDatabase(engine);
  });
  afterEach(async () => {
    await server.stop();
    await database.drop();
  });

  /** Who is found by the hash of exactly that spelling. */
  async function found(spelling: string): Promise<string | undefined> {
    const v2 = `${server.url}/_matrix/identity/v2`;
    const token = await server.token('@asks:hs.test');
    const { lookup_pepper: pepper } = (await get(`${v2}/hash_details`, {}, token)).json;
    const hash = lookupHash(spelling, 'email', pepper);
    const body = { addresses: [hash], algorithm: 'sha256', pepper };
    return (await postJson(`${v2}/lookup`, body, token)).json.mappings[hash];
  }

  async function expectThreeHashes(spelling: string, user: string): Promise<void> {
    for (const sent of [spelling, spelling.toLowerCase(), foldAddress('email', spelling)]) {
      expect(await found(sent), sent).toBe(user);
    }
  }

  test('is found by in a database that an earlier version has taken over', async () => {
    await start();
    for (const [spelling, user] of EARLIER[engine]) await expectThreeHashes(spelling, user);
  });

  test('is found by when Sydent, or a peer of it, wrote it last', async () => {
    const insert = (origin: string, address: string, stored: string, mxid: string) =>
      database.execute(
        'insert into global_threepid_associations (medium, address, mxid, ts, "notBefore", "notAfter", "originServer", "originId", "sgAssoc") values (?, ?, ?, 5, 1, 4000000000000, ?, 900, ?)',
        ['email', stored, mxid, origin, JSON.stringify({ address, signatures: {} })],
      );
    await insert('other.test', 'STRAẞE.Äſ@Sample.test', 'strasse.äs@sample.test', '@peer:hs.test');
    await insert('ID.Example.org', 'GROß@Sample.test', 'GROß@Sample.test', '@own:hs.test');
    // What is signed is of another address, or nothing at all: the column counts.
    await insert('evil.test', 'victim@sample.test', 'own@sample.test', '@evil:hs.test');
    await database.execute(
      `update global_threepid_associations set "sgAssoc" = '"' where "originServer" = 'ID.Example.org' and "originId" = 900`,
    );
    await start();
    await expectThreeHashes('STRAẞE.Äſ@Sample.test', '@peer:hs.test');
    await expectThreeHashes('GROß@Sample.test', '@own:hs.test');
    expect(await found('victim@sample.test')).toBeUndefined();
    expect(await found('own@sample.test')).toBe('@evil:hs.test');
  });

  test('is hashed anew with a new pepper', async () => {
    await start();
    await server.app.close();
    const pepper = async () =>
      (await database.execute('select lookup_pepper from hashing_metadata')) as object[];
    const before = await pepper();
    await database.execute('delete from hashing_metadata');
    await start();
    expect(await pepper()).not.toEqual(before);
    for (const [spelling, user] of EARLIER[engine]) await expectThreeHashes(spelling, user);
  });
});

describe.each(ENGINES)('addresses in several spellings of different users, on %s,', (engine) => {
  let database: TestDatabase;
  let server: TestServer;
  beforeEach(async () => {
    database = await createDatabase(engine);
    server = await startTestServer({ engine, now: NOW, database });
  });
  afterEach(async () => {
    await server.stop();
    await database.drop();
  });

  let ts = 100;
  /** As an old Sydent bound. */
  async function sydentBinds(address: string, mxid: string): Promise<void> {
    const values = ['email', address, mxid, ++ts];
    const [entry] = await database.execute(
      'insert into local_threepid_associations (medium, address, mxid, ts, "notBefore", "notAfter") values (?, ?, ?, ?, 1, 4000000000000) returning id',
      values,
    );
    await database.execute(
      `insert into global_threepid_associations (medium, address, mxid, ts, "notBefore", "notAfter", "originServer", "originId", "sgAssoc") values (?, ?, ?, ?, 1, 4000000000000, 'id.test', ?, '{}')`,
      [...values, (entry as { id: number }).id],
    );
  }
  const internal = (action: string, address: string, mxid: string) =>
    postJson(`${server.internalUrl}/_matrix/identity/internal/${action}`, {
      medium: 'email',
      address,
      mxid,
    });
  /** What the next start warns of. */
  async function warned(): Promise<number> {
    server.logs.length = 0;
    await server.restart();
    const line = server.logs.find((text) => text.includes('several spellings'));
    if (line === undefined) return 0;
    const { level, count } = JSON.parse(line);
    expect(level).toBe(40);
    return count;
  }

  test('are warned of at each start, as many as there still are', async () => {
    expect(await warned()).toBe(0);
    await sydentBinds('Case@sample.test', '@upper:hs.test');
    await sydentBinds('case@sample.test', '@lower:hs.test');
    await sydentBinds('CASE@sample.test', '@shout:hs.test');
    await sydentBinds('Two@sample.test', '@a:hs.test');
    await sydentBinds('TWO@sample.test', '@b:hs.test');
    // One user, and one spelling: nothing to be warned of.
    await sydentBinds('Same@sample.test', '@same:hs.test');
    await sydentBinds('same@sample.test', '@same:hs.test');
    await sydentBinds('Alone@sample.test', '@alone:hs.test');
    expect(await warned()).toBe(2);
    expect(await warned()).toBe(2);
    await internal('bind', 'same@sample.test', '@other:hs.test');
    await internal('bind', 'two@sample.test', '@c:hs.test');
    expect(await warned()).toBe(1);
    await internal('unbind', 'case@sample.test', '@shout:hs.test');
    expect(await warned()).toBe(0);
    // Sydent in between: the spelling that was there is contested now.
    await sydentBinds('alone@sample.test', '@second:hs.test');
    expect(await warned()).toBe(1);
  });

  test('are counted once, however far apart their spellings stand in the log', async () => {
    await sydentBinds('Far@sample.test', '@a:hs.test');
    const between = Array.from({ length: 600 }, (_, i) => `Between${i}@sample.test`);
    await database.execute(
      `insert into local_threepid_associations (medium, address, mxid, ts, "notBefore", "notAfter") values ${between.map(() => "('email', ?, '@a:hs.test', 1, 1, 4000000000000)").join()}`,
      between,
    );
    await sydentBinds('FAR@sample.test', '@b:hs.test');
    expect(await warned()).toBe(1);
  });

  test('are not looked for again at a start that finds nothing new', async () => {
    await sydentBinds('Case@sample.test', '@upper:hs.test');
    await sydentBinds('case@sample.test', '@lower:hs.test');
    expect(await warned()).toBe(1);
    // Behind our back: whoever scanned would see it.
    await database.execute("update local_threepid_associations set mxid = '@lower:hs.test'");
    expect(await warned()).toBe(1);
  });
});
