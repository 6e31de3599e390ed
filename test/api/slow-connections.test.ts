import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import {
  certificateFolder,
  introduce,
  newSigningKey,
  PUSH_PATH,
  replicationLines,
} from '../support/replicating-servers.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const REQUEST = 300;
const KEEP_ALIVE = 400;
const SILENCE = 1200;
/** The handshakes of this file, too, have to be done in that time. */
const HANDSHAKE = 1500;

const LISTENERS = ['client', 'internal', 'metrics', 'replication'] as const;
type Name = (typeof LISTENERS)[number];

let ca: TestCa;
let server: TestServer;
/** One that gives a request the time that a busy machine may take for its pieces. */
let patient: TestServer;
let identity: Awaited<ReturnType<typeof certificateFolder>>;
let ownCertificate: Awaited<ReturnType<typeof certificateFolder>>;

beforeAll(async () => {
  ca = await createTestCa();
  ownCertificate = await certificateFolder(ca, 'id.test');
  identity = await certificateFolder(ca, 'peer.test');
  const start = async (request: number) => {
    const started = await startTestServer({
      sections: { http: replicationLines(ownCertificate.file, ca, await freePort()) },
      connectionTimes: {
        request,
        keepAlive: KEEP_ALIVE,
        silence: SILENCE,
        handshake: HANDSHAKE,
        check: 20,
      },
    });
    await introduce(started, { name: 'peer.test', publicKey: newSigningKey().publicKey });
    return started;
  };
  server = await start(REQUEST);
  patient = await start(30_000);
});
afterAll(async () => {
  await server.stop();
  await patient.stop();
  await ownCertificate.remove();
  await identity.remove();
  await ca.remove();
});

const GOOD: Record<Name, string> = {
  client: '/_matrix/identity/v2',
  internal: '/_matrix/identity/openapi.json',
  metrics: '/metrics',
  replication: PUSH_PATH,
};
const POST: Record<Name, string> = {
  client: '/_matrix/identity/api/v1/validate/email/submitToken',
  internal: '/_matrix/identity/internal/bind',
  metrics: '/metrics',
  replication: PUSH_PATH,
};

const portOf = (name: Name, of = server) => of.app.addresses[name]?.port ?? 0;

async function connection(name: Name, of = server): Promise<Socket> {
  const to = { host: '127.0.0.1', port: portOf(name, of) };
  const { cert, key } = identity;
  const socket =
    name === 'replication' ? connectTls({ ...to, ca: ca.pem, cert, key }) : connect(to);
  await once(socket, name === 'replication' ? 'secureConnect' : 'connect');
  return socket.on('error', () => {});
}

/** Sends a text again and again until the connection ends: what was answered, and after how long. */
async function drip(socket: Socket, text: string, every = 20) {
  const began = performance.now();
  let answer = '';
  socket.on('data', (data) => {
    answer += data;
  });
  const timer = setInterval(() => socket.writable && text !== '' && socket.write(text), every);
  // By an end or by a reset.
  await new Promise((resolve) => socket.once('close', resolve));
  clearInterval(timer);
  return { answer, took: performance.now() - began };
}

/** On a machine that does other things meanwhile; without the limits they would never end. */
const LATE = 10_000;
const within = (took: number, limit: number) => {
  expect(took).toBeGreaterThan(limit * 0.8);
  expect(took).toBeLessThan(limit + LATE);
};
const jsonOf = (answer: string) => JSON.parse(answer.slice(answer.lastIndexOf('\r\n\r\n') + 4));

describe.each(LISTENERS)('the %s listener ends', (name) => {
  const head = (path: string, more = '') => `POST ${path} HTTP/1.1\r\nHost: x\r\n${more}`;

  test('a head that does not end', async () => {
    const socket = await connection(name);
    socket.write(head(POST[name], 'X: '));
    const { answer, took } = await drip(socket, 'x');
    within(took, REQUEST);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(jsonOf(answer)).toEqual({ errcode: 'M_UNKNOWN', error: expect.any(String) });
  });

  test('a head that does not end, after a request that did', async () => {
    const socket = await connection(name);
    socket.write(`GET ${GOOD[name]} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await once(socket, 'data');
    socket.write(head(POST[name], 'X: '));
    const { answer, took } = await drip(socket, 'x');
    within(took, REQUEST);
    expect(answer).toMatch(/HTTP\/1\.1 408 /);
  });

  test('a body that comes byte by byte', async () => {
    const socket = await connection(name);
    const type = 'Content-Type: application/json\r\n';
    socket.write(head(POST[name], `${type}Content-Length: 100000\r\n\r\n`));
    const { answer, took } = await drip(socket, '1');
    within(took, REQUEST);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('a body that comes chunk by chunk', async () => {
    const socket = await connection(name);
    const type = 'Content-Type: application/json\r\n';
    socket.write(head(POST[name], `${type}Transfer-Encoding: chunked\r\n\r\n`));
    const { took } = await drip(socket, '1\r\n1\r\n');
    within(took, REQUEST);
  });

  test('a connection over which nothing comes, and one with only empty lines', async () => {
    for (const text of ['', '\r\n']) {
      const { took } = await drip(await connection(name), text);
      within(took, REQUEST);
    }
  });

  test('a connection that is kept, and one with an empty line after a request', async () => {
    for (const [text, limit] of [
      ['', KEEP_ALIVE],
      ['\r\n', SILENCE],
    ] as const) {
      const socket = await connection(name);
      socket.write(`GET ${GOOD[name]} HTTP/1.1\r\nHost: x\r\n\r\n`);
      await once(socket, 'data');
      socket.write(text);
      const { took } = await drip(socket, '');
      expect(took).toBeGreaterThan(KEEP_ALIVE * 0.8);
      // Node adds a second to the time it tells.
      expect(took).toBeLessThan(limit + 1000 + LATE);
    }
  });

  test('nobody else', async () => {
    const slow = await connection(name, patient);
    slow.write(head(POST[name], 'X: '));
    const dripping = drip(slow, 'x');
    const socket = await connection(name, patient);
    const answered = once(socket, 'data');
    // In two pieces, of which the second comes late but in time.
    socket.write(`GET ${GOOD[name]} HTTP/1.1\r\nHost: x\r\n`);
    setTimeout(() => socket.write('\r\n'), REQUEST);
    expect(String(await answered)).toMatch(/^HTTP\/1\.1 (200|405) /);
    socket.destroy();
    slow.destroy();
    await dripping;
  });
});

test('a TLS handshake that never comes, or never ends, is waited for no longer', async () => {
  for (const text of ['', '\x16\x03\x01\x02\x00\x01']) {
    const socket = connect(portOf('replication'), '127.0.0.1').on('error', () => {});
    await once(socket, 'connect');
    socket.write(Buffer.from(text, 'latin1'));
    const { took } = await drip(socket, '');
    within(took, HANDSHAKE);
  }
});

test('whoever does not read the answers is not waited for', async () => {
  const socket = await connection('metrics');
  const began = performance.now();
  socket.pause().write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(500));
  // It finds out by an error when it sends more.
  const timer = setInterval(() => socket.write('G'), 50);
  const [error] = await once(socket, 'error').catch((error: unknown) => [error]);
  clearInterval(timer);
  expect(error).toMatchObject({ code: expect.stringMatching(/EPIPE|ECONNRESET/) });
  expect(performance.now() - began).toBeGreaterThan(SILENCE * 0.8);
});

describe('metrics answer in JSON', () => {
  const ask = async (request: string) => (await drip(await raw(request), '')).answer;
  const raw = async (request: string) => {
    const socket = await connection('metrics');
    socket.write(request);
    return socket;
  };
  test.each([
    ['without a Host', 'GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'M_UNKNOWN'],
    ['what is not HTTP', 'NONSENSE\r\n\r\n', 400, 'M_UNRECOGNIZED'],
    ['long headers', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['another path', 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 404],
    ['another method', 'PUT /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 405],
  ])('%s', async (_what, request, status, errcode?: string) => {
    const answer = await ask(request);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toMatch(/content-type: application\/json\r\n/i);
    const body = answer.slice(answer.indexOf('{'), answer.lastIndexOf('}') + 1);
    expect(JSON.parse(body)).toEqual({
      errcode: errcode ?? expect.stringMatching(/^M_/),
      error: expect.any(String),
    });
  });

  test('to HTTP/1.0 without a Host they are served', async () => {
    expect(await ask('GET /metrics HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
  });
});
