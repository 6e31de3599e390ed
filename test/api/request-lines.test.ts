import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createNetworkNames } from '../../src/identity/network-names.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { openStorage } from '../../src/storage/open.ts';
import { createDatabase, ENGINES, type TestDatabase } from '../support/databases.ts';
import { freePort } from '../support/free-port.ts';
import { get, request } from '../support/http.ts';
import {
  certificateFolder,
  PUSH_PATH,
  rawPush,
  replicationLines,
} from '../support/replicating-servers.ts';
import { SERVER_NAME, startTestServer, TestClock, type TestServer } from '../support/server.ts';
import { createTestCa } from '../support/tls.ts';

const DAY = 24 * 60 * 60 * 1000;
const WEEK = 7 * DAY;
/** A Wednesday. */
const NOW = Date.UTC(2026, 6, 1, 12);
const PROXIED = 'obey_x_forwarded_for = true\ntrusted_proxies = 127.0.0.1';
const NAME = /^[\w-]{12}$/;

interface Line {
  readonly msg: string;
  readonly client?: string;
  readonly address?: string;
  readonly status?: number;
  readonly route?: string;
}
const linesSince = (server: TestServer, from: number) =>
  server.logs.slice(from).map((line) => JSON.parse(line) as Line);

/** The line of what is asked. */
async function lineOf(server: TestServer, ask: () => Promise<unknown>): Promise<Line> {
  const seen = server.logs.length;
  const lines = () =>
    linesSince(server, seen).filter(
      // The description of the API is asked for by the tests themselves.
      ({ msg, route }) => /^(Request$|Refused)/.test(msg) && !route?.includes('openapi'),
    );
  await ask();
  await vi.waitFor(() => expect(lines()).toHaveLength(1), 10_000);
  return lines()[0] as Line;
}

const from = (server: TestServer, address: string, path = '/_matrix/identity/v2') =>
  lineOf(server, () => request(server.url + path, { headers: { 'x-forwarded-for': address } }));

async function raw(url: string, bytes: string): Promise<void> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {});
  await once(socket, 'connect');
  socket.write(bytes);
  await text(socket);
}

describe.each(ENGINES)('the line of a request on %s', (engine) => {
  let database: TestDatabase;
  let server: TestServer;
  const start = () => startTestServer({ engine, database, now: NOW, sections: { http: PROXIED } });
  beforeAll(async () => {
    database = await createDatabase(engine);
    server = await start();
  });
  afterAll(async () => {
    await server.stop();
    await database.drop();
  });

  test('names the network of the client, and not its address', async () => {
    const seen = server.logs.length;
    const { client } = await from(server, '192.0.2.7');
    expect(client).toMatch(NAME);
    for (const same of ['192.0.2.7:4000', '::ffff:192.0.2.7', '198.51.100.1, 192.0.2.7']) {
      expect((await from(server, same)).client).toBe(client);
    }
    expect((await from(server, '192.0.2.8')).client).not.toBe(client);
    const network = await from(server, '2001:db8:1:2::3');
    expect((await from(server, '2001:DB8:1:2:ffff::')).client).toBe(network.client);
    expect((await from(server, '2001:db8:1:3::3')).client).not.toBe(network.client);
    expect(server.logs.slice(seen).join('')).not.toMatch(/192\.0\.2|198\.51|2001:db8/i);
  });

  test('does so after a restart, and in all processes', async () => {
    const { client } = await from(server, '192.0.2.7');
    if (engine === 'postgres') {
      const twin = await start();
      expect((await from(twin, '192.0.2.7')).client).toBe(client);
      twin.clock.advance(WEEK);
      server.clock.advance(WEEK);
      const next = (await from(server, '192.0.2.7')).client;
      expect(next).toMatch(NAME);
      expect(next).not.toBe(client);
      expect((await from(twin, '192.0.2.7')).client).toBe(next);
      await twin.stop();
    }
    const before = (await from(server, '192.0.2.7')).client;
    await server.restart();
    expect((await from(server, '192.0.2.7')).client).toBe(before);
  });

  test('has another name from Monday on, and then the key of the old is gone', async () => {
    const { client } = await from(server, '192.0.2.7');
    const key = async () => {
      const rows = await database.execute('select key from cognomen_network_keys order by week');
      return (rows as { key: string }[]).map((row) => row.key);
    };
    const [old, next] = await key();
    // To Sunday, a second before midnight: from a Wednesday at noon.
    server.clock.advance(4 * DAY + DAY / 2 - 1000);
    expect((await from(server, '192.0.2.7')).client).toBe(client);
    server.clock.advance(1000);
    const renamed = (await from(server, '192.0.2.7')).client;
    expect(renamed).toMatch(NAME);
    expect(renamed).not.toBe(client);
    // A server whose clock is late still needs it.
    await server.restart();
    expect(await key()).toContain(old);
    server.clock.advance(DAY / 24);
    await server.restart();
    const left = await key();
    expect(left).not.toContain(old);
    expect(left).toHaveLength(2);
    expect(left[0]).toBe(next);
    expect((await from(server, '192.0.2.7')).client).toBe(renamed);
    expect(server.logs.join('')).not.toContain(old);
  });

  test('is the same whoever makes the key first, at a start and when the week changes', async () => {
    const other = await createDatabase(engine);
    const clock = new TestClock(NOW);
    const storage = await startTestServer({ engine, database: other, now: NOW });
    const { db } = storage.config;
    await storage.stop();
    const deps = { logger: pino({ level: 'silent' }), clock, random: secureRandom };
    const open = () => openStorage(db, { ...deps, serverName: SERVER_NAME, pidFile: '' });
    // SQLite's file belongs to one process, in which several may ask at once all the same.
    const first = await open();
    const storages = engine === 'postgres' ? [first, await open()] : [first, first];
    for (let week = 0; week < 3; week++) {
      const all = [...storages, ...storages, ...storages].map((each) =>
        createNetworkNames({ ...deps, storage: each }),
      );
      await Promise.all(all.map((names) => names.renew()));
      for (let days = 0; days < 7; days++) {
        const names = new Set(all.map((each) => each.of('192.0.2.7')));
        expect(names.size).toBe(1);
        expect([...names][0]).toMatch(NAME);
        clock.advance(DAY);
      }
    }
    for (const each of new Set(storages)) await each.close();
    await other.drop();
  });
});

describe('the line names the client, whatever becomes of the request:', () => {
  let server: TestServer;
  let client: string;
  let ca: Awaited<ReturnType<typeof createTestCa>>;
  let certificate: Awaited<ReturnType<typeof certificateFolder>>;
  const port = freePort();
  beforeAll(async () => {
    ca = await createTestCa();
    certificate = await certificateFolder(ca, SERVER_NAME);
    server = await startTestServer({
      sections: { http: replicationLines(certificate.file, ca, await port) },
      connectionTimes: { request: 200, check: 20 },
    });
    client = (await lineOf(server, () => get(`${server.url}/health`))).client ?? '';
    expect(client).toMatch(NAME);
  });
  afterAll(async () => {
    await server.stop();
    await certificate.remove();
    await ca.remove();
  });

  const head = 'HTTP/1.1\r\nConnection: close\r\n';
  const cases: [string, number, () => Promise<unknown>][] = [
    ['an unknown path', 404, () => get(`${server.url}/nowhere`)],
    ['another method', 405, () => request(`${server.url}/_matrix/identity/v2`, { method: 'PUT' })],
    ['a preflight', 200, () => request(`${server.url}/nowhere`, { method: 'OPTIONS' })],
    ['no token', 401, () => get(`${server.url}/_matrix/identity/v2/account`)],
    ['a path that is not one', 400, () => raw(server.url, `GET /%zz ${head}Host: x\r\n\r\n`)],
    ['no Host', 400, () => raw(server.url, `GET / ${head}\r\n`)],
    ['no HTTP', 400, () => raw(server.url, 'NONSENSE\r\n\r\n')],
    ['long headers', 431, () => raw(server.url, `GET / ${head}X: ${'x'.repeat(20_000)}\r\n\r\n`)],
    ['a slow head', 408, () => raw(server.url, 'GET / HT')],
    [
      'a long body',
      413,
      () =>
        raw(
          server.url,
          `POST /_matrix/identity/api/v1/3pid/bind ${head}Host: x\r\nContent-Length: 9999999\r\n\r\n`,
        ),
    ],
    [
      'a web page at the internal API',
      403,
      () => request(`${server.internalUrl}/x`, { headers: { origin: 'https://evil.test' } }),
    ],
    ['no HTTP at the internal API', 400, () => raw(server.internalUrl, 'NONSENSE\r\n\r\n')],
    [
      'a path that is not one at the replication listener',
      400,
      async () => {
        const { cert, key } = await ca.issue('stranger.test');
        const url = `https://127.0.0.1:${await port}`;
        await rawPush({ url, path: '/%zz', cert, key, ca: ca.pem });
      },
    ],
    [
      'a stranger at the replication listener',
      403,
      async () => {
        const { cert, key } = await ca.issue('stranger.test');
        await rawPush({ url: `https://127.0.0.1:${await port}`, cert, key, ca: ca.pem });
      },
    ],
  ];
  test.each(cases)('%s', async (_what, status, ask) => {
    const line = await lineOf(server, ask);
    expect(line).toMatchObject({ status, client });
    expect(JSON.stringify(line)).not.toContain('127.0.0.1');
  });

  test('no certificate at the replication listener', async () => {
    const push = async () =>
      rawPush({ url: `https://127.0.0.1:${await port}`, path: PUSH_PATH, ca: ca.pem }).catch(
        () => undefined,
      );
    const line = await lineOf(server, push);
    expect(line).toMatchObject({ msg: 'Refused a connection', client });
    expect(line).not.toHaveProperty('address');
  });

  test('it breaks off', async () => {
    const line = await lineOf(server, async () => {
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
      await once(socket, 'connect');
      socket.write(`POST /_matrix/identity/v2/lookup ${head}Host: x\r\nContent-Length: 9\r\n\r\n`);
      socket.destroySoon();
    });
    expect(line.client).toBe(client);
  });
});

test('log.client_address = true writes the address beside the name', async () => {
  const sections = { general: 'log.client_address = true', http: PROXIED };
  const server = await startTestServer({ sections });
  const seen = await from(server, '192.0.2.7', '/nowhere');
  expect(seen).toMatchObject({ address: '192.0.2.7', client: expect.stringMatching(NAME) });
  const refused = await lineOf(server, () => raw(server.url, 'NONSENSE\r\n\r\n'));
  expect(refused.address).toBe('127.0.0.1');
  await server.stop();
});
