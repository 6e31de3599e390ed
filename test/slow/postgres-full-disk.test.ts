import { rm } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type DatabaseLoad, startDatabaseLoad } from '../support/database-load.ts';
import { get } from '../support/http.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { CAN_MOUNT, mountSmallDisk, type SmallDisk } from '../support/small-disk.ts';

/** MiB: what an empty database takes, two segments of the log, and some room. */
const SIZE = 160;
/** Bytes that there is room for yet. */
const LEFT = 256 * 1024;
/** Milliseconds, on a machine that is busy. */
const SOON = 2000;

describe.runIf(CAN_MOUNT)('the disk of PostgreSQL is full', () => {
  let data: string;
  let disk: SmallDisk;
  let postgres: PostgresServer;
  let server: TestServer;
  let load: DatabaseLoad;
  beforeEach(async () => {
    postgres = await startPostgres({
      durable: true,
      prepare(folder) {
        data = folder;
        disk = mountSmallDisk(folder, SIZE);
      },
      settings: { max_wal_size: '32MB', min_wal_size: '32MB' },
    });
    server = await startTestServer({
      sections: { db: `db.url = ${postgres.url.replaceAll('%', '%%')}` },
    });
    load = startDatabaseLoad(server);
    await load.untilBound(60);
  });
  afterEach(async () => {
    await load.end();
    await server.stop();
    await postgres.stop();
    disk.unmount();
    await rm(path.dirname(data), { recursive: true, force: true });
  });

  const lines = (text: string) => server.logs.filter((line) => line.includes(text));
  const refused = () => load.answers.filter(({ status }) => status !== 200);

  async function requireWell(): Promise<void> {
    await load.untilBound(load.acknowledged.size + 60);
    await expect.poll(async () => (await get(`${server.url}/health`)).status).toBe(200);
    await load.end();
    expect(new Set(refused().map(({ status, errcode }) => `${status} ${errcode}`))).toEqual(
      new Set(['503 M_UNKNOWN']),
    );
    for (const { retryAfter } of refused()) expect(retryAfter).toBeGreaterThan(0);
    expect(lines('Request failed')).toEqual([]);
    await load.requireNothingLost(postgres.url);
  }

  test('for its tables: what writes is refused, reads go on, and all is well once there is room', async () => {
    await disk.fill(LEFT);
    await load.untilAnswered(({ kind, status }) => kind === 'bind' && status === 503);
    const from = load.answers.length;
    await load.untilAnswered(({ kind }) => kind === 'lookup');
    await load.untilAnswered(({ kind, status }) => kind === 'bind' && status === 503);
    const meanwhile = load.answers.slice(from).filter(({ kind }) => kind === 'lookup');
    expect(new Set(meanwhile.map(({ status }) => status))).toEqual(new Set([200]));
    await disk.makeRoom();
    const made = performance.now();
    await requireWell();
    expect(Math.max(...refused().map(({ at }) => at)) - made).toBeLessThan(SOON);
    expect(lines('its disk is full')).toHaveLength(1);
  });

  test('for its log: it ends, and once it is started with room all is well', async () => {
    await postgres.crash(
      async () => {
        await load.untilAnswered(({ status }) => status === 503);
        await disk.makeRoom();
      },
      async () => {
        await disk.fill(0);
        const client = new pg.Client(postgres.url);
        client.on('error', () => {});
        await client.connect();
        for (;;) {
          const switched = await client.query('select pg_switch_wal()').catch(() => undefined);
          if (switched === undefined) break;
          await load.untilAnswered(() => true);
        }
        client.end().catch(() => {});
      },
    );
    await requireWell();
  });
});
