import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { adminClient, createAdminToken, WITH_ADMIN } from '../support/admin.ts';
import { type DatabaseProxy, startDatabaseProxy } from '../support/database-proxy.ts';
import { createDatabase, ENGINES, type TestDatabase } from '../support/databases.ts';
import { get } from '../support/http.ts';
import { probesOf } from '../support/probes.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const LIMITS = 'db.connect_timeout = 2\ndb.statement_timeout = 2';

describe.runIf(ENGINES.includes('postgres'))('PostgreSQL', () => {
  let database: TestDatabase;
  let proxy: DatabaseProxy;
  let server: TestServer;
  let token: string;
  beforeEach(async () => {
    database = await createDatabase('postgres');
    proxy = await startDatabaseProxy(database.config);
    const sections = { db: `${proxy.config}\n${LIMITS}`, admin: WITH_ADMIN };
    server = await startTestServer({ database, sections });
    token = await server.token('@ada:sample.test');
  });
  afterEach(async () => {
    await server.stop();
    await proxy.close();
    await database.drop();
  });

  const { bind, account, health, lines } = probesOf(
    () => server,
    () => token,
  );
  const bound = async () => {
    const rows = await database.execute('select address from local_threepid_associations');
    return rows.map((row) => String(Object(row).address)).sort();
  };
  const url = () => database.config.slice('db.url = '.length).replaceAll('%%', '%');
  /** Whether connections that are made from now on may write. */
  async function readOnly(value: 'on' | 'off'): Promise<void> {
    const client = new pg.Client(url());
    await client.connect();
    await client.query('set default_transaction_read_only = off');
    const name = new URL(url()).pathname.slice(1);
    await client.query(`alter database ${name} set default_transaction_read_only = ${value}`);
    await client.end();
  }
  /** What the metrics say of the database. */
  async function counted(name: string): Promise<number> {
    const { text } = await get(`${server.metricsUrl}/metrics`);
    return Number(new RegExp(`^cognomen_database_${name} (\\d+)$`, 'm').exec(text)?.[1]);
  }
  const errors = () => server.logs.filter((line) => JSON.parse(line).level >= 50);

  test('that is away is told of once, answered with 503, and used again when it is back', async () => {
    const admin = () => get(`${server.adminUrl}/ready`);
    expect((await bind('before')).status).toBe(200);
    expect((await admin()).status).toBe(200);
    proxy.cut();
    await expect.poll(() => lines('The database cannot be used:')).not.toEqual([]);
    expect(await counted('available')).toBe(0);
    // For people, but not for clients, in words.
    const ready = await get(`${server.metricsUrl}/ready`);
    expect(ready).toMatchObject({ status: 503, json: { reason: 'database' } });
    expect(ready.json.message).toMatch(/^The database cannot be used: /);
    // The admin listener looks once a second at the most.
    expect((await admin()).status).toBe(200);
    server.clock.advance(1000);
    expect(await admin()).toMatchObject({ status: 503, json: ready.json });
    expect((await get(`${server.url}/ready`)).json).toEqual({
      status: 'unavailable',
      reason: 'database',
    });
    expect(await get(`${server.metricsUrl}/health`)).toMatchObject({ status: 200 });
    for (const ask of [account, health, () => bind('meanwhile')]) {
      const { status } = await ask();
      expect(status).toBe(503);
    }
    const refused = await account();
    expect(refused.json).toMatchObject({ errcode: 'M_UNKNOWN' });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);

    proxy.restore();
    expect((await account()).status).toBe(200);
    expect((await admin()).status).toBe(503);
    server.clock.advance(1000);
    expect((await admin()).json).toEqual({ status: 'ok' });
    expect((await bind('after')).status).toBe(200);
    await expect.poll(() => lines('The database can be used again')).not.toEqual([]);
    expect(await bound()).toEqual(['after@sample.test', 'before@sample.test']);
    expect(lines('The database cannot be used:')).toHaveLength(1);
    expect(lines('The database can be used again')).toHaveLength(1);
    expect(errors()).toHaveLength(1);
    expect(JSON.parse(errors()[0] ?? '{}').reason).toContain('the connection was lost');
    expect(await counted('available')).toBe(1);
    expect(await counted('outages_total')).toBe(1);
    expect(await counted('failures_total')).toBeGreaterThan(2);
  });

  test('that ends every connection while it is used loses nothing that was answered with 200', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `name${String(i).padStart(2, '0')}`);
    const outcomes: { name: string; status: number }[] = [];
    let reads: number[] = [];
    let isOver = false;
    const reading = (async () => {
      while (!isOver) reads = [...reads, (await account()).status];
    })();
    const ending = (async () => {
      while (!isOver) {
        await database.execute(
          "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'cognomen %' and datname = current_database()",
        );
      }
    })();
    for (const name of names) outcomes.push({ name, status: (await bind(name)).status });
    isOver = true;
    await Promise.all([reading, ending]);
    expect(new Set(reads.filter((status) => status !== 200 && status !== 503))).toEqual(new Set());
    const there = await bound();
    for (const { name, status } of outcomes) {
      expect([200, 503]).toContain(status);
      if (status === 200) expect(there).toContain(`${name}@sample.test`);
    }
    expect((await bind('last')).status).toBe(200);
    expect(await counted('retries_total')).toBeGreaterThan(0);
  });

  test('that is silent is given up, and another connection is taken', async () => {
    // Several connections are open, and none of them answers any more.
    await Promise.all([account(), bind('one'), account(), bind('two')]);
    proxy.silence();
    const { status } = await account();
    expect(status).toBe(200);
    // A group that could not begin is refused; the next one finds a connection.
    await expect.poll(async () => (await bind('three')).status).toBe(200);
    expect(await bound()).toContain('three@sample.test');
  });

  test('that takes no more connections is waited for', async () => {
    await server.stop();
    const user = `few_${process.pid}`;
    await database.execute(`create role ${user} login password 'few' connection limit 2`);
    try {
      await database.execute(`grant all on all tables in schema public to ${user}`);
      await database.execute(`grant all on all sequences in schema public to ${user}`);
      const config = proxy.config.replace(/:\/\/[^@]*@/, `://${user}:few@`);
      server = await startTestServer({
        database,
        sections: { db: `${config}\ndb.connect_timeout = 60` },
      });
      const names = Array.from({ length: 12 }, (_, i) => `name${i}`);
      const answers = await Promise.all([...names.map(bind), ...names.map(() => health())]);
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    } finally {
      await server.stop();
      await database.execute(`drop owned by ${user} cascade`);
      await database.execute(`drop role ${user}`);
      server = await startTestServer({ database });
    }
  });

  test('that takes no writes is found out, and its connections are given up', async () => {
    const made = await createAdminToken(server.config.files[0] ?? '', 'viewer');
    const admin = adminClient(server, made.token);
    await readOnly('on');
    // What is open already is as it was: as after a failover, new connections lead there.
    proxy.cut();
    proxy.restore();
    expect((await bind('meanwhile')).status).toBe(503);
    expect((await health()).status).toBe(503);
    expect((await account()).status).toBe(200);
    // That the token was used cannot be noted, nor who is looked at.
    expect((await admin.get('stats')).status).toBe(200);
    expect((await admin.get('lookup', { address_or_mxid: 'ada@sample.test' })).status).toBe(503);
    await expect.poll(() => lines('it takes no writes')).not.toEqual([]);
    await readOnly('off');
    const answers = await Promise.all(['one', 'two', 'three'].map(bind));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect((await health()).status).toBe(200);
  });

  test('that refuses the password is told of once, and refuses a start at once', async () => {
    await server.stop();
    const user = `changing_${process.pid}`;
    await database.execute(`create role ${user} login password 'first'`);
    try {
      await database.execute(`grant all on all tables in schema public to ${user}`);
      await database.execute(`grant all on all sequences in schema public to ${user}`);
      const config = proxy.config.replace(/:\/\/[^@]*@/, `://${user}:first@`);
      const sections = { db: `${config}\n${LIMITS}` };
      server = await startTestServer({ database, sections });
      await database.execute(`alter role ${user} password 'second'`);
      proxy.cut();
      proxy.restore();
      expect((await account()).status).toBe(503);
      await expect.poll(() => lines('it refuses the password')).toHaveLength(1);
      await expect(startTestServer({ database, sections })).rejects.toThrow(
        'password authentication failed',
      );
      await database.execute(`alter role ${user} password 'first'`);
      expect((await account()).status).toBe(200);
    } finally {
      await server.stop();
      await database.execute(`drop owned by ${user} cascade`);
      await database.execute(`drop role ${user}`);
      server = await startTestServer({ database });
    }
  });

  test('in which a statement takes too long refuses that one, says so once, and is used as before', async () => {
    const other = new pg.Client(url());
    await other.connect();
    await other.query('begin; lock table local_threepid_associations in access exclusive mode');
    const refused = [await bind('one'), await bind('two')];
    for (const { status, headers } of refused) {
      expect(status).toBe(503);
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect((await account()).status).toBe(200);
    await other.query('rollback');
    await other.end();
    expect((await bind('three')).status).toBe(200);
    expect(await bound()).toEqual(['three@sample.test']);
    expect(lines('db.statement_timeout')).toHaveLength(1);
    expect(lines('Request failed')).toEqual([]);
  });

  test('that does not come at the start is given up after a while', async () => {
    await server.stop();
    proxy.cut();
    const db = `${proxy.config}\n${LIMITS}\ndb.start_timeout = 1`;
    await expect(startTestServer({ database, sections: { db } })).rejects.toThrow('PostgreSQL');
    proxy.restore();
    server = await startTestServer({ database });
  });

  test('that is not there yet is waited for at the start', async () => {
    await server.stop();
    proxy.cut();
    const attempted = proxy.attempts;
    const starting = startTestServer({ database, sections: { db: `${proxy.config}\n${LIMITS}` } });
    await expect.poll(() => proxy.attempts).toBeGreaterThan(attempted);
    proxy.restore();
    server = await starting;
    expect(lines('Waiting for PostgreSQL')).toHaveLength(1);
    expect((await bind('late')).status).toBe(200);
  });
});
