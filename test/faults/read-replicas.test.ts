import pino from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { NO_DATABASE_METRICS } from '../../src/platform/database-metrics.ts';
import { watchReplicas } from '../../src/storage/engines/postgres/replicas.ts';
import { ENGINES } from '../support/databases.ts';
import { get, postJson } from '../support/http.ts';
import { hashOf, lookUp } from '../support/peppers.ts';
import { createTestDatabase, queryAt as query } from '../support/postgres.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const USED = 'Lookups are read from a replica';
const LEFT_OUT = 'A replica is left out';
/** Seconds that a busy machine does not make it late by. */
const MAX_LAG = 5;

describe.runIf(ENGINES.includes('postgres'))('a standby that lookups are read from', () => {
  let primary: PostgresServer;
  let standby: PostgresServer;
  let server: TestServer;
  let names = 0;

  beforeAll(async () => {
    primary = await startPostgres();
    standby = await primary.addStandby();
    // What it is late with is not waited for.
    await query(primary.url, "alter system set synchronous_standby_names = ''");
    await query(primary.url, 'select pg_reload_conf()');
  });
  afterAll(async () => {
    await standby.stop();
    await primary.stop();
  });

  async function start(readUrl = standby.url, maxLag = MAX_LAG): Promise<void> {
    const escaped = (url: string) => url.replaceAll('%', '%%');
    const numbered = (text: string) => {
      let number = 0;
      return text.replaceAll('?', () => `$${++number}`);
    };
    server = await startTestServer({
      database: {
        config: `db.url = ${escaped(primary.url)}\ndb.read_url = ${escaped(readUrl)}\ndb.read_max_lag = ${maxLag}`,
        execute: (text, values = []) => query(primary.url, numbered(text), [...values]),
        drop: async () => {},
      },
    });
  }
  beforeEach(() => start());
  afterEach(() => server.stop());

  const lines = (text: string) => server.logs.filter((line) => line.includes(text));
  const untilUsed = (times = 1) => expect.poll(() => lines(USED).length).toBe(times);
  const root = () => `${server.url}/_matrix/identity`;
  const bind = async (name: string, mxid = '@ada:sample.test') => {
    const bound = await postJson(`${server.internalUrl}/_matrix/identity/internal/bind`, {
      ...{ medium: 'email', address: `${name}@sample.test`, mxid },
    });
    expect(bound.status).toBe(200);
  };
  const lookup = async (name: string) => {
    const asked = { medium: 'email', address: `${name}@sample.test` };
    const { status, json } = await get(`${root()}/api/v1/lookup`, asked);
    expect(status).toBe(200);
    return json.mxid as string | undefined;
  };
  const fresh = () => `name${names++}`;
  /** How often the standby has looked for keys. */
  const scans = async (table = 'cognomen_lookup_keys') => {
    const [row] = await query(
      standby.url,
      'select idx_scan from pg_stat_user_tables where relname = $1',
      [table],
    );
    return Number(row?.idx_scan ?? 0);
  };
  const isUsed = async () => {
    const { text } = await get(`${server.metricsUrl}/metrics`);
    return /^cognomen_database_replica_used\{replica="[^"]+"\} (\d)$/m.exec(text)?.[1];
  };

  test('is read, and what was bound just before is found in any case', async () => {
    await untilUsed();
    expect(await isUsed()).toBe('1');
    const before = await scans();
    const name = fresh();
    await bind(name);
    await expect
      .poll(async () => {
        expect(await lookup(name)).toBe('@ada:sample.test');
        return (await scans()) > before;
      })
      .toBe(true);
    for (let times = 0; times < 50; times++) {
      const [one, two] = [fresh(), fresh()];
      await Promise.all([bind(one), bind(two)]);
      expect(await Promise.all([lookup(one), lookup(two)])).toEqual(
        Array(2).fill('@ada:sample.test'),
      );
      await bind(one, '@grace:sample.test');
      expect(await lookup(one)).toBe('@grace:sample.test');
    }
  });

  test('is not read before it has what was committed and is not written yet', async () => {
    // Commits do not wait for the disk here, and for long nobody writes what they leave.
    await query(primary.url, "alter system set wal_writer_delay = '10s'");
    await query(primary.url, 'select pg_reload_conf()');
    await query(primary.url, 'create table committed (number int)');
    await query(primary.url, 'select pg_switch_wal()');
    const tables = () => query(standby.url, "select to_regclass('committed') is not null as there");
    await expect.poll(tables).toEqual([{ there: true }]);
    let looks = 0;
    const at = (url: string) => ({
      query: (text: string, values: readonly unknown[]) => query(url, text, [...values]),
      end: async () => {},
      counts: () => ({ open: 0, inUse: 0, waiting: 0 }),
    });
    const replicas = watchReplicas({
      replicas: [{ name: 'standby', connect: async () => at(standby.url) as never }],
      primary: {
        query: (text, values) => {
          looks++;
          return at(primary.url).query(text, values);
        },
      },
      maxLag: 60_000,
      logger: pino({ level: 'silent' }),
      metrics: NO_DATABASE_METRICS,
    });
    try {
      await expect.poll(() => replicas.pick()).toBeDefined();
      await query(primary.url, 'insert into committed values (1)');
      replicas.requireCurrent();
      const before = looks;
      const read: unknown[] = [];
      await expect
        .poll(async () => {
          const picked = replicas.pick();
          if (picked) read.push(...(await picked.query('select count(*)::int from committed', [])));
          return looks - before;
        })
        .toBeGreaterThan(3);
      expect(read).toEqual(read.map(() => ({ count: 1 })));
    } finally {
      await replicas.stop();
      await query(primary.url, 'drop table committed');
      await query(primary.url, 'alter system reset wal_writer_delay');
      await query(primary.url, 'select pg_reload_conf()');
    }
  });

  test('is left out while it is late, and used again by itself', async () => {
    await untilUsed();
    await query(standby.url, 'select pg_wal_replay_pause()');
    try {
      const name = fresh();
      await bind(name);
      expect(await lookup(name)).toBe('@ada:sample.test');
      await expect.poll(() => lines(LEFT_OUT).length).toBe(1);
      expect(lines(LEFT_OUT)[0]).toContain('db.read_max_lag');
      expect(await isUsed()).toBe('0');
      expect((await get(`${server.url}/health`)).status).toBe(200);
      // What is taken back is so at once, on the primary and for tokens.
      const token = await server.token('@ada:sample.test');
      expect((await get(`${root()}/v2/account`, {}, token)).status).toBe(200);
      expect((await postJson(`${root()}/v2/account/logout`, {}, token)).status).toBe(200);
      expect((await get(`${root()}/v2/account`, {}, token)).status).toBe(401);
    } finally {
      await query(standby.url, 'select pg_wal_replay_resume()');
    }
    await untilUsed(2);
    expect(lines(LEFT_OUT)).toHaveLength(1);
  });

  test('is not asked by a pepper before it has all hashes by that', async () => {
    await server.stop();
    await start(standby.url, 30);
    const token = await server.token('@asks:sample.test');
    const name = fresh();
    await bind(name);
    await untilUsed();
    const pepper = 'a-pepper-of-another-node';
    const ask = () => lookUp(server, token, `${name}@sample.test`, pepper);
    await query(standby.url, 'select pg_wal_replay_pause()');
    try {
      // As another node leaves it that has rotated.
      await query(
        primary.url,
        `insert into cognomen_rotated_keys (pepper, lookup_hash, global_id)
          select 1, $1, global_id from cognomen_lookup_keys where spelling = $2`,
        [hashOf(`${name}@sample.test`, pepper), `${name}@sample.test`],
      );
      await query(
        primary.url,
        "insert into cognomen_state (key, value) values ('lookup_peppers', $1)",
        [JSON.stringify({ current: { number: 1, pepper }, former: [], gone: [] })],
      );
      expect(await ask()).toBe('@ada:sample.test');
      expect(await isUsed()).toBe('1');
    } finally {
      await query(standby.url, 'select pg_wal_replay_resume()');
    }
    await expect
      .poll(async () => {
        expect(await ask()).toBe('@ada:sample.test');
        return scans('cognomen_rotated_keys');
      })
      .toBeGreaterThan(0);
    await query(primary.url, 'delete from cognomen_rotated_keys');
    await query(primary.url, "delete from cognomen_state where key = 'lookup_peppers'");
  });

  test('that dies is no fault of any request, and is used again when it is back', async () => {
    await untilUsed();
    const name = fresh();
    await bind(name);
    await standby.crash(async () => {
      for (let times = 0; times < 20; times++) expect(await lookup(name)).toBe('@ada:sample.test');
      await expect.poll(() => lines(LEFT_OUT).length).toBe(1);
      expect((await get(`${server.url}/health`)).status).toBe(200);
      await bind(fresh());
    });
    await untilUsed(2);
    expect(lines(LEFT_OUT)).toHaveLength(1);
    expect(await lookup(name)).toBe('@ada:sample.test');
  });

  test('that stands still holds lookups up for two seconds, once', async () => {
    await untilUsed();
    const name = fresh();
    await bind(name);
    await expect.poll(isUsed).toBe('1');
    await standby.freeze(async () => {
      const begun = performance.now();
      const found = await Promise.all(Array.from({ length: 20 }, () => lookup(name)));
      expect(found).toEqual(Array(20).fill('@ada:sample.test'));
      expect(performance.now() - begun).toBeLessThan(20_000);
      await expect.poll(() => lines(LEFT_OUT).length).toBe(1);
      const after = performance.now();
      await lookup(name);
      // Each time would be two seconds.
      expect(performance.now() - after).toBeLessThan(2000);
    });
    await untilUsed(2);
  });

  test('that is another database is never used, nor is one that is not there', async () => {
    await server.stop();
    const other = await createTestDatabase();
    try {
      await start(`${other.url}, postgres://nobody@127.0.0.1:1/nothing`);
      const name = fresh();
      await bind(name);
      // Looked at several times meanwhile.
      await expect
        .poll(async () => {
          expect(await lookup(name)).toBe('@ada:sample.test');
          return lines('is no replica of the database').length;
        })
        .toBe(1);
      expect(lines(USED)).toEqual([]);
    } finally {
      await server.stop();
      await other.drop();
      await start();
    }
  });
});
