import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/databases.ts';
import { freePort } from '../support/free-port.ts';
import { postJson } from '../support/http.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';

interface Report {
  readonly path: string | undefined;
  readonly auth: IncomingMessage['headers'][string];
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: looked at member by member
  readonly event: any;
}

/** As much of Sentry as takes reports. */
const reports: Report[] = [];
let status = 200;
let sentry: Server;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: ServerProcess | undefined;

beforeEach(async () => {
  reports.length = 0;
  status = 200;
  sentry = createServer(async (request, response) => {
    const body = await text(request);
    reports.push({
      path: request.url,
      auth: request.headers['x-sentry-auth'],
      text: body,
      event: JSON.parse(body.split('\n')[2] ?? ''),
    });
    response.writeHead(status).end('{}');
  });
  await new Promise<void>((resolve) => sentry.listen(0, '127.0.0.1', resolve));
  folder = await temporaryFolder();
});
afterEach(async () => {
  await server?.stop('SIGKILL');
  await new Promise((resolve) => sentry.close(resolve));
  await folder.remove();
});

const dsn = () =>
  `http://a0b1c2d3e4f5a6b7@127.0.0.1:${(sentry.address() as AddressInfo).port}/sub/42`;

/** A server whose relay is not there, and that fails for good at SIGWINCH. */
async function start(general = '') {
  const relay = await freePort();
  const { url } = await writeConfig(folder.path, {
    general: `sentry_dsn = ${dsn()}\n${general}`,
    email: `email.smtphost = 127.0.0.1\nemail.smtpport = ${relay}`,
  });
  const throwing = "process.on('SIGWINCH', () => { throw new TypeError('of the test'); });";
  server = spawnCognomen([], {
    cwd: folder.path,
    env: { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(throwing)}` },
  });
  await server.untilLogged('"Ready"');
  const mail = (attempt: number) =>
    postJson(`${url}/_matrix/identity/api/v1/validate/email/requestToken`, {
      email: 'ada@sample.test',
      client_secret: 'a-secret',
      send_attempt: attempt,
    });
  return { server, mail };
}

describe('errors of the log', () => {
  test('go to the Sentry project of the configuration', async () => {
    const { server: running, mail } = await start();
    for (const attempt of [1, 2, 3]) expect((await mail(attempt)).status).toBe(400);
    const ofMails = () =>
      reports.filter(({ event }) => event.message.formatted === 'Mail not sent');
    await expect.poll(() => ofMails().length).toBe(1);
    const [report] = ofMails();
    expect(report?.path).toBe('/sub/api/42/envelope/');
    expect(report?.auth).toContain('sentry_key=a0b1c2d3e4f5a6b7');
    expect(report?.event).toMatchObject({
      level: 'error',
      server_name: 'id.test',
      message: { formatted: 'Mail not sent' },
    });
    for (const { text } of reports) expect(text).not.toMatch(/ada@|a-secret/);
    expect(await running.stop()).toBe(0);
    expect(ofMails()).toHaveLength(1);
    expect(running.log()).not.toContain('a0b1c2d3e4f5a6b7');
  });

  test('tell of the one that ends the process, with its stack, before it ends', async () => {
    const { server: running } = await start();
    running.child.kill('SIGWINCH');
    expect(await running.ended).toBe(1);
    expect(reports).toHaveLength(1);
    expect(reports[0]?.event).toMatchObject({
      level: 'fatal',
      exception: { values: [{ type: 'TypeError', value: 'of the test' }] },
    });
    expect(reports[0]?.event.exception.values[0].stacktrace.frames.length).toBeGreaterThan(0);
  });

  test('that Sentry does not take are told of once, and change nothing else', async () => {
    status = 429;
    const { server: running, mail } = await start('workers = 2');
    expect((await mail(1)).status).toBe(400);
    await running.untilLogged('Sentry (sentry_dsn) does not take reports of errors');
    expect((await mail(2)).status).toBe(400);
    expect(await running.stop()).toBe(0);
  });

  test('a DSN that is none stops the start', async () => {
    await writeConfig(folder.path, { general: 'sentry_dsn = https://sentry.test/1' });
    server = spawnCognomen(['check-config'], { cwd: folder.path });
    expect(await server.ended).toBe(1);
    expect(server.log()).toContain('sentry_dsn');
    expect(server.log()).toContain('must be a DSN of Sentry');
  });
});
