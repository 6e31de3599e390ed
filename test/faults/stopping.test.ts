import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createClosing } from '../../src/app/closing.ts';
import { temporaryFolder } from '../support/databases.ts';
import { freePort } from '../support/free-port.ts';
import { get } from '../support/http.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';
import { certificateFolder, PUSH_PATH, replicationLines } from '../support/replicating-servers.ts';
import { startTestServer } from '../support/server.ts';
import { startSmtpServer, type TestRelay } from '../support/smtp.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const host = '127.0.0.1';
const V1 = '/_matrix/identity/api/v1';
const BIND = '/_matrix/identity/internal/bind';

let ca: TestCa;
let certificate: Awaited<ReturnType<typeof certificateFolder>>;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let relay: TestRelay;
/** Lets the mails go that the relay holds. */
let release: () => void;
/** Resolves when the relay holds one. */
let held: Promise<void>;
let server: ServerProcess | undefined;

beforeAll(async () => {
  ca = await createTestCa();
  certificate = await certificateFolder(ca, 'id.test');
});
afterAll(async () => {
  await certificate?.remove();
  await ca?.remove();
});
beforeEach(async () => {
  folder = await temporaryFolder();
  const released = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  release = released.resolve;
  held = arrived.promise;
  relay = await startSmtpServer({
    onMailFrom(_address, _session, done) {
      arrived.resolve();
      released.promise.then(() => done());
    },
  });
});
afterEach(async () => {
  release();
  await server?.stop('SIGKILL');
  server = undefined;
  await relay.close();
  await folder.remove();
});

/** A server in a process of its own, with all four listeners; the ports by their names. */
async function start(general = '') {
  const [metrics, replication] = [await freePort(), await freePort()];
  const { ports, url } = await writeConfig(folder.path, {
    general: `prometheus_port = ${metrics}\nprometheus_addr = ${host}\n${general}`,
    http: replicationLines(certificate.file, ca, replication),
    email: `email.smtphost = ${host}\nemail.smtpport = ${relay.port}`,
  });
  const running = spawnCognomen([], { cwd: folder.path });
  server = running;
  await running.untilLogged('Ready');
  return { running, url, ports: { ...ports, metrics, replication } };
}

/** A connection, with what came over it so far. */
interface Line {
  readonly socket: Socket;
  readonly text: () => string;
  readonly closed: Promise<void>;
}

function watched(socket: Socket): Line {
  let text = '';
  socket.on('error', () => {}).on('data', (chunk) => (text += chunk));
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return { socket, text: () => text, closed };
}

async function open(port: number): Promise<Line> {
  const line = watched(connect({ host, port }));
  await once(line.socket, 'connect');
  return line;
}

function post(path: string, body: unknown, type = 'application/json'): string {
  const text = JSON.stringify(body);
  return `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
}
const mailTo = (email: string) =>
  post(`${V1}/validate/email/requestToken`, { email, client_secret: 'abcd', send_attempt: 1 });
const binding = (number: number) =>
  post(BIND, { medium: 'email', address: `u${number}@b.test`, mxid: '@a:b.test' });

/** Sends it until it is heard: what comes at once after the first counts as the same. */
async function insist({ child, ended }: ServerProcess, signal: NodeJS.Signals) {
  const again = setInterval(() => child.kill(signal), 100);
  const status = await ended;
  clearInterval(again);
  return status;
}

const answers = (text: string) => text.split('HTTP/1.1 200 ').length - 1;

describe('at SIGTERM', () => {
  test('every listener stops at once, while a request is under way on one of them', async () => {
    const { running, ports } = await start();
    const asking = await open(ports.client);
    asking.socket.write(mailTo('ada@sample.test'));
    await held;
    // One that asks again as soon as it is answered, and one that has twenty requests under way all the time.
    const busy = await open(ports.internal);
    let bound = 0;
    busy.socket.on('data', () => busy.socket.write(binding(bound++)));
    busy.socket.write(binding(bound++));
    const flooding = await open(ports.internal);
    flooding.socket.on('data', () => flooding.socket.write(binding(bound++)));
    for (let i = 0; i < 20; i++) flooding.socket.write(binding(bound++));
    const scraping = await open(ports.metrics);
    scraping.socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
    const identity = { key: certificate.key, cert: certificate.cert };
    const peer = watched(connectTls({ host, port: ports.replication, ca: ca.pem, ...identity }));
    peer.socket.write(`GET ${PUSH_PATH} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await expect.poll(() => [scraping, peer].every(({ text }) => text() !== '')).toBe(true);
    await expect.poll(() => answers(busy.text())).toBeGreaterThan(3);
    const incoming = await open(ports.client);
    incoming.socket.write(mailTo('bob@sample.test').slice(0, -1));

    running.child.kill('SIGTERM');
    // All that while the request is under way: nothing lets it go before. Whoever is thrown out and comes again at once
    // is refused by the system, rather than let in and thrown out anew.
    const comeAgain = async ({ closed }: Line, port: number) => {
      await closed;
      const late = connect({ host, port });
      const outcome = await once(late, 'connect').catch((error) => error.code);
      late.on('error', () => {}).destroy();
      return outcome;
    };
    const outcomes = await Promise.all([
      comeAgain(busy, ports.internal),
      comeAgain(flooding, ports.internal),
      comeAgain(scraping, ports.metrics),
      comeAgain(peer, ports.replication),
      comeAgain(incoming, ports.client),
    ]);
    expect(new Set(outcomes)).toEqual(new Set(['ECONNREFUSED']));
    expect(asking.text()).toBe('');
    // A second request over the connection of one that is under way is not looked at.
    asking.socket.write(mailTo('eve@sample.test'));
    release();
    await asking.closed;
    expect(answers(asking.text())).toBe(1);
    expect(asking.text()).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\nconnection: close\r\n/i);
    expect(await running.ended).toBe(0);
    expect(relay.mails.map(({ to }) => to)).toEqual([['ada@sample.test']]);
    expect(running.log()).toContain('"Stopped"');
  });

  test('shutdown.delay fails the health endpoint first; a second signal tells what it cuts short', async () => {
    const { running, url, ports } = await start('shutdown.delay = 3600');
    expect((await get(`${url}/health`)).status).toBe(200);
    running.child.kill('SIGTERM');
    await running.untilLogged('"Stopping"');
    const health = await get(`${url}/health`);
    expect([health.status, health.json]).toEqual([
      503,
      { status: 'unavailable', reason: 'stopping' },
    ]);
    const metrics = `http://${host}:${ports.metrics}`;
    expect((await get(`${metrics}/ready`)).json).toMatchObject({ reason: 'stopping' });
    expect((await get(`${metrics}/health`)).json).toEqual({ status: 'ok' });
    expect((await get(`${url}/_matrix/identity/v2`)).status).toBe(200);
    const inside = await open(ports.internal);
    inside.socket.write(binding(1));
    await expect.poll(() => answers(inside.text())).toBe(1);
    expect(inside.text()).not.toMatch(/connection: close/i);
    expect(await insist(running, 'SIGINT')).toBe(1);
    expect(running.log()).toMatch(/"signal":"SIGINT","cutShort":"the delay [^"]*"/);
  });

  test('a second signal ends it while requests are under way', async () => {
    const { running, ports } = await start();
    const asking = await open(ports.client);
    asking.socket.write(mailTo('ada@sample.test'));
    await held;
    running.child.kill('SIGTERM');
    await running.untilLogged('"Stopping"');
    expect(await insist(running, 'SIGTERM')).toBe(1);
    expect(running.log()).toContain('"cutShort":"requests under way"');
  });

  test('that comes twice at once, as npm passes on what a terminal sends, stops it in order', async () => {
    const { running } = await start();
    running.child.kill('SIGINT');
    expect(await running.stop('SIGINT')).toBe(0);
    expect(running.log()).toContain('"Stopped"');
  });
});

test('what is under way for too long is cut off, and the rest of the stop is done all the same', async () => {
  const inProcess = await startTestServer({
    drainLimit: 50,
    smtp: { onMailFrom: (_address, _session, done) => void held.then(() => done()) },
  });
  const asking = await open(inProcess.app.addresses.client.port);
  asking.socket.write(mailTo('ada@sample.test'));
  await expect.poll(() => inProcess.smtp.connections).toBe(1);
  await inProcess.app.close();
  await asking.closed;
  expect(asking.text()).toBe('');
  expect(inProcess.logs.join('')).toContain('still under way; closing their connections');
  // The database was let go of: another server can have it.
  const next = await startTestServer({ database: inProcess.database });
  await next.stop();
  await inProcess.stop();
});

test('a step of the stop that hangs or fails does not keep the others from being taken', async () => {
  const taken: string[] = [];
  const logs: string[] = [];
  const logger = pino({}, { write: (line: string) => void logs.push(line) });
  const closing = createClosing(logger, { step: 20 });
  closing.defer('last', async () => void taken.push('last'));
  closing.defer('failing', async () => Promise.reject(new Error('broken')));
  closing.defer('hanging', () => new Promise(() => {}));
  closing.defer('first', async () => void taken.push('first'));
  await closing.close();
  expect(taken).toEqual(['first', 'last']);
  expect(logs.join('')).toMatch(/"what":"hanging"[\s\S]*broken/);
});
