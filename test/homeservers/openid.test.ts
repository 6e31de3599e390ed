import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startDnsServer, type TestDnsServer } from '../support/dns-server.ts';
import {
  answerJson,
  type Script,
  startHomeserver,
  type TestHomeserver,
} from '../support/homeserver.ts';
import { testHomeservers } from '../support/outbound.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const USERINFO = '/_matrix/federation/v1/openid/userinfo';
const TOKEN = 'hush+/& token';

let ca: TestCa;
let dns: TestDnsServer;
let hs: TestHomeserver;
let made: ReturnType<typeof testHomeservers>;

beforeAll(async () => {
  ca = await createTestCa();
  dns = await startDnsServer({ 'hs.test': { a: ['127.0.0.1'] } });
  hs = await startHomeserver({ ca, host: 'hs.test' });
});
afterAll(async () => {
  await hs.close();
  await dns.close();
  await ca.remove();
});
beforeEach(() => {
  made = testHomeservers({ dns, ca, ports: { 443: 1, 8448: 1 } });
  hs.openIdTokens.set(TOKEN, `@alice:${hs.serverName}`);
});
afterEach(async () => {
  hs.script(USERINFO, undefined);
  await made.outbound.close();
});

const says =
  (status: number, body: unknown): Script =>
  (_request, response) =>
    answerJson(response, status, body);

test('the homeserver says whose token it is', async () => {
  expect(await made.openIdUser(hs.serverName, TOKEN)).toBe(`@alice:${hs.serverName}`);
  expect(await made.openIdUser(hs.serverName.toUpperCase(), TOKEN)).toBe(`@alice:${hs.serverName}`);
});

test.each([
  '',
  'a b',
  'hs.test/x',
  'hs.test:',
  'https://hs.test',
  'hs.test@evil.test',
  'ⓗs.test',
  '[::1',
  'hs.test?',
])('%j is not a server name', async (name) => {
  await expect(made.openIdUser(name, TOKEN)).rejects.toMatchObject({
    fault: 'parameter-invalid',
  });
});

test('a token that is not text is refused', async () => {
  await expect(made.openIdUser(hs.serverName, '\ud800')).rejects.toMatchObject({
    fault: 'parameter-invalid',
  });
});

test.each([401, 403])('a token refused with %i', async (status) => {
  hs.script(USERINFO, says(status, { errcode: 'M_UNKNOWN_TOKEN' }));
  await expect(made.openIdUser(hs.serverName, TOKEN)).rejects.toMatchObject({
    fault: 'token-unknown',
  });
});

describe('a homeserver has failed that', () => {
  const sub = (value: unknown) => says(200, { sub: value });
  test.each<[string, () => Script]>([
    ['names a user of another server', () => sub('@alice:matrix.org')],
    ['names a user of its host on another port', () => sub('@alice:hs.test')],
    [
      'names a user of a look-alike',
      () => sub(`@alice:${hs.serverName.replace('hs', 'hs\u200b')}`),
    ],
    [
      'names a user of its name in other letters',
      () => sub(`@alice:${hs.serverName.toUpperCase()}`),
    ],
    ['names a user with its name in front', () => sub(`@alice:${hs.serverName}:evil.test`)],
    ['names a user with its name at the end', () => sub(`@alice:evil.test@${hs.serverName}`)],
    ['names a user with a dot more', () => sub(`@alice:hs.test.:${hs.port}`)],
    ['names somebody who is not a user', () => sub(`alice:${hs.serverName}`)],
    ['names nobody', () => says(200, {})],
    ['names a number', () => sub(7)],
    ['names a list', () => sub([`@alice:${hs.serverName}`])],
    ['answers null', () => says(200, null)],
    ['answers a list', () => says(200, [{ sub: `@alice:${hs.serverName}` }])],
    ['answers HTML', () => (_request, response) => response.end('<html>')],
    ['answers nothing', () => (_request, response) => response.end()],
    ['answers 404', () => says(404, { sub: `@alice:${hs.serverName}` })],
    ['answers 500', () => says(500, {})],
    ['answers 201', () => says(201, { sub: `@alice:${hs.serverName}` })],
    [
      'redirects',
      () => (_request, response) => response.writeHead(302, { location: 'https://x.test/' }).end(),
    ],
    ['says too much', () => says(200, { sub: `@alice:${hs.serverName}`, x: 'x'.repeat(6000) })],
    ['hangs up', () => (_request, response) => response.destroy()],
    [
      'hangs up half-way',
      () => (_request, response) => {
        response.writeHead(200, { 'content-length': '100' }).write('{');
        setImmediate(() => response.destroy());
      },
    ],
  ])('%s', async (_what, script) => {
    hs.script(USERINFO, script());
    const asked = made.openIdUser(hs.serverName, TOKEN);
    await expect(asked).rejects.toMatchObject({
      name: 'IdentityError',
      fault: 'homeserver-failed',
      message: expect.stringContaining(hs.serverName),
    });
    await expect(asked).rejects.not.toThrow(/hush/);
  });
});

test.each([
  ['nobody listens', 'hs.test:1'],
  ['DNS does not know', 'gone.test:8448'],
  ['is at an address that is blocked', '10.0.0.1:8448'],
  ['has another certificate', () => `localhost:${hs.port}`],
])('a homeserver %s', async (_what, name) => {
  const serverName = typeof name === 'string' ? name : name();
  await expect(made.openIdUser(serverName, TOKEN)).rejects.toMatchObject({
    fault: 'homeserver-failed',
    message: expect.stringContaining(serverName.split(':')[0] ?? ''),
  });
});

test('what does not fit in is told to come back later', async () => {
  await made.outbound.close();
  made = testHomeservers({
    dns,
    ca,
    ports: { 443: 1, 8448: 1 },
    limits: { rooms: { logins: { perHost: 1, waiting: 1 } } },
  });
  const asked = [1, 2, 3].map(() => made.openIdUser(hs.serverName, TOKEN));
  const [first, second, third] = await Promise.allSettled(asked);
  expect([first?.status, second?.status]).toEqual(['fulfilled', 'fulfilled']);
  expect(third).toMatchObject({
    reason: { fault: 'overloaded', details: { retry_after_ms: expect.any(Number) } },
  });
});
