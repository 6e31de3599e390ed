import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startDnsServer, type TestDnsServer } from '../support/dns-server.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { get, request, type TestAnswer } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { type SilentServer, startSilentServer } from '../support/silent.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const UNBIND = '/_matrix/identity/v2/3pid/unbind';
const USERINFO = '/_matrix/federation/v1/openid/userinfo';
const ENFORCED = 'limits.enforce = true';
/** Clients are told apart by X-Forwarded-For. */
const PROXY = 'obey_x_forwarded_for = true\ntrusted_proxies = 127.0.0.1';

let ca: TestCa;
let dns: TestDnsServer;
let homeserver: TestHomeserver;
let silent: SilentServer;
let server: TestServer;

beforeAll(async () => {
  ca = await createTestCa();
  dns = await startDnsServer({ 'honest.test': { a: ['127.0.0.1'] } });
  homeserver = await startHomeserver({ ca, host: 'honest.test' });
  homeserver.openIdTokens.set('opensesame', `@ada:${homeserver.serverName}`);
});
afterAll(async () => {
  await homeserver.close();
  await dns.close();
  await ca.remove();
});
beforeEach(async () => {
  silent = await startSilentServer();
});
afterEach(async () => {
  homeserver.script(USERINFO, undefined);
  await silent.close();
  await Promise.all(begun.splice(0));
  await server.stop();
});

async function start(general: string, connect = 60_000, askingPatience = 300): Promise<void> {
  server = await startTestServer({
    sections: {
      general: `${homeserver.reachable}dns.servers = ${dns.address}\n${general}`,
      http: PROXY,
      limits: 'register.ratelimit.burst = 0',
    },
    trustedCa: ca.pem,
    askingPatience,
    outboundLimits: { connect },
    homeserverTimings: { login: { answer: 60_000, total: 60_000 } },
  });
}

const post = (path: string, from: string, body: object, more: Record<string, string> = {}) =>
  request(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-forwarded-for': from, ...more },
    body: JSON.stringify(body),
  });
const register = (from: string, name = homeserver.serverName, token = 'opensesame') =>
  post('/_matrix/identity/v2/account/register', from, {
    matrix_server_name: name,
    access_token: token,
  });
const slowName = (index: number) => `127.1.${Math.floor(index / 250)}.${1 + (index % 250)}`;
const from = (index: number) => `198.18.${Math.floor(index / 250)}.${1 + (index % 250)}`;

/** Requests that go on until the silent server is closed. */
const begun: Promise<TestAnswer>[] = [];
const begin = (requests: Promise<TestAnswer>[]) => void begun.push(...requests);
const limited = (limit: string) => ({
  status: 429,
  json: {
    errcode: 'M_LIMIT_EXCEEDED',
    error: expect.stringContaining(limit),
    retry_after_ms: expect.any(Number),
  },
});
const counted = async (limit: string) => {
  const { text } = await get(`${server.metricsUrl}/metrics`);
  const line = text.split('\n').find((one) => one.includes(`_exceeded_total{limit="${limit}"`));
  return Number(line?.split(' ').at(-1) ?? 0);
};

describe('where limits are enforced', () => {
  test('one network has 20 requests waiting at once; others have theirs', async () => {
    await start(ENFORCED);
    begin(Array.from({ length: 20 }, (_, i) => register(from(0), `${slowName(i)}:${silent.port}`)));
    await expect.poll(() => silent.open).toBe(20);
    const refused = await register(from(0));
    expect(refused).toMatchObject(limited('outbound.waiting'));
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await register(from(1))).status).toBe(200);
  });

  test('one homeserver has 20 waiting for it, whoever names it', async () => {
    await start(ENFORCED);
    const slow = `127.1.1.1:${silent.port}`;
    begin(Array.from({ length: 20 }, (_, i) => register(from(i), slow)));
    await expect.poll(() => silent.open).toBe(20);
    expect(await register(from(50), slow)).toMatchObject(limited('outbound.waiting'));
    expect((await register(from(50))).status).toBe(200);
  });

  test('a homeserver loses nothing to what is made up of its name', async () => {
    await start(ENFORCED, 5000);
    for (let i = 0; i < 40; i++) await register(from(i), `honest.test:${i + 1}`);
    begin(Array.from({ length: 20 }, (_, i) => register(from(i), `honest.test:${silent.port}`)));
    await expect.poll(() => silent.open).toBe(20);
    expect((await register(from(99))).status).toBe(200);
  });

  test.each<[string, (response: ServerResponse) => unknown]>([
    ['an empty page', (response) => response.writeHead(414).end()],
    ['a page that is too long', (response) => response.writeHead(414).end('x'.repeat(6000))],
    [
      'a compressed page',
      (response) => response.writeHead(414, { 'content-encoding': 'gzip' }).end('x'),
    ],
    ['nothing but a reset', (response) => response.destroy()],
    ['a redirect without end', (response) => response.writeHead(302, { location: '/' }).end()],
  ])('no token makes a homeserver fail, with %s for an answer', async (_what, answer) => {
    await start(ENFORCED, 5000);
    homeserver.script(USERINFO, (_request, response) => void answer(response));
    const long = 'long'.repeat(1000);
    for (let batch = 0; batch < 2; batch++) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => register(from(i), homeserver.serverName, long)),
      );
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([502]));
    }
    homeserver.script(USERINFO, undefined);
    expect((await register(from(99))).status).toBe(200);
  });

  test('many users behind one address get through when their homeserver is quick', async () => {
    await start(ENFORCED, 5000, 10_000);
    let asked = 0;
    let most = 0;
    homeserver.script(USERINFO, async () => {
      most = Math.max(most, ++asked);
      await new Promise((resolve) => setTimeout(resolve, 10));
      asked--;
      return false;
    });
    const answers = await Promise.all(Array.from({ length: 300 }, () => register(from(0))));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(most).toBeLessThanOrEqual(20);
    expect(await counted('outbound.waiting')).toBe(0);
  });

  test('failures are counted by homeserver, and refused tokens are none', async () => {
    await start(ENFORCED, 5000, 10_000);
    for (let i = 0; i < 35; i++) {
      expect((await register(from(i), homeserver.serverName, 'wrong')).status).toBe(401);
    }
    expect((await register(from(40))).status).toBe(200);
    const dead = '127.2.2.2:1';
    const asked = await Promise.all(Array.from({ length: 40 }, (_, i) => register(from(i), dead)));
    expect(asked.filter(({ status }) => status === 502).length).toBeGreaterThanOrEqual(30);
    const again = await register(from(50), dead);
    expect(again).toMatchObject(limited('outbound.failures'));
    expect((await register(from(50), '127.2.2.3:1')).status).toBe(502);
    server.clock.advance(again.json.retry_after_ms);
    expect((await register(from(50), dead)).status).toBe(502);
    expect((await register(from(50), dead)).status).toBe(429);
  });

  test('signed requests wait in the same way, but not for keys that are known', async () => {
    await start(ENFORCED);
    const unbind = (name: string, by: string) => {
      const threepid = { medium: 'email', address: 'ada@sample.test' };
      const content = { threepid, mxid: `@ada:${name}` };
      const signed = homeserver.authorization({ uri: UNBIND, content });
      const authorization = signed.replaceAll(homeserver.serverName, name);
      return post(UNBIND, by, content, { authorization });
    };
    expect((await unbind(homeserver.serverName, from(0))).status).toBe(200);
    begin(Array.from({ length: 20 }, (_, i) => unbind(`${slowName(i)}:${silent.port}`, from(0))));
    await expect.poll(() => silent.open).toBe(20);
    const more = await unbind(`${slowName(20)}:${silent.port}`, from(0));
    expect(more).toMatchObject(limited('outbound.waiting'));
    expect((await unbind(homeserver.serverName, from(0))).status).toBe(200);
  });
});

test('where limits only report, nothing is refused, and nobody is kept waiting', async () => {
  await start('limits.enforce = report');
  begin(Array.from({ length: 25 }, (_, i) => register(from(0), `${slowName(i)}:${silent.port}`)));
  await expect.poll(() => silent.open).toBe(25);
  expect((await register(from(0))).status).toBe(200);
  // The five that would have waited in vain.
  await expect.poll(() => counted('outbound.waiting')).toBe(5);
  for (let i = 0; i < 35; i++) {
    expect((await register(from(1), '127.2.2.2:1')).status).toBe(502);
  }
  expect(await counted('outbound.failures')).toBe(5);
});
