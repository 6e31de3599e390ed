import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import {
  answerJson,
  type Script,
  startHomeserver,
  type TestHomeserver,
} from '../support/homeserver.ts';
import { get, postJson, request, type TestAnswer } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const code = ({ status, json }: TestAnswer) => [status, json.errcode];
const USERINFO = '/_matrix/federation/v1/openid/userinfo';

const FAILURES: [string, Script][] = [
  ['redirects', (_, response) => response.writeHead(302, { location: 'https://x.test/' }).end()],
  ['answers no JSON', (_, response) => response.end('<html>')],
  ['answers a list', (_, response) => answerJson(response, 200, [])],
  ['answers without a user', (_, response) => answerJson(response, 200, { sub: 1 })],
  ['answers too much', (_, response) => answerJson(response, 200, { sub: 'x'.repeat(10_000) })],
  ['fails', (_, response) => answerJson(response, 500, {})],
  ['hangs up', (_, response) => response.destroy()],
];

let ca: TestCa;
let homeserver: TestHomeserver;
beforeAll(async () => {
  ca = await createTestCa();
  homeserver = await startHomeserver({ ca });
  homeserver.openIdTokens.set('opensesame', `@ada:${homeserver.serverName}`);
  homeserver.openIdTokens.set('another', `@ada:evil.${homeserver.serverName}`);
});
afterAll(async () => {
  await homeserver.close();
  await ca.remove();
});

const openId = (more: object = {}) => ({
  access_token: 'opensesame',
  token_type: 'Bearer',
  matrix_server_name: homeserver.serverName,
  expires_in: 3600,
  ...more,
});

describe.each(ENGINES)('registering on %s', (engine) => {
  let server: TestServer;
  const v2 = () => `${server.url}/_matrix/identity/v2`;
  const register = (body: unknown) => postJson(`${v2()}/account/register`, body);

  beforeAll(async () => {
    server = await startTestServer({
      engine,
      sections: { general: homeserver.reachable },
      trustedCa: ca.pem,
    });
  });
  afterAll(() => server.stop());

  test('gives the homeserver’s user a token, stored so that nobody can use it', async () => {
    const { status, json } = await register(openId());
    expect(status).toBe(200);
    expect(json.token).toMatch(/^[A-Za-z0-9]{64}$/);
    expect(json.access_token).toBe(json.token);
    const account = await get(`${v2()}/account`, {}, json.token);
    expect(account.json).toEqual({ user_id: `@ada:${homeserver.serverName}` });
    const rows = (await server.database.execute('select token from tokens')) as { token: string }[];
    const stored = rows.map((row) => row.token);
    expect(stored.join()).not.toContain(json.token);
    for (const token of stored) expect((await get(`${v2()}/account`, {}, token)).status).toBe(401);
    expect(server.logs.join('')).not.toMatch(new RegExp(`opensesame|${json.token}`));
  });

  test('each time gives another token, and all of them work', async () => {
    const tokens = await Promise.all(
      [1, 2, 3].map(async () => (await register(openId())).json.token),
    );
    expect(new Set(tokens).size).toBe(3);
    for (const token of tokens) expect((await get(`${v2()}/account`, {}, token)).status).toBe(200);
  });

  test('works with the name in capitals, and without what is of no use', async () => {
    const { access_token, matrix_server_name } = openId();
    const upper = await register({
      access_token,
      matrix_server_name: matrix_server_name.toUpperCase(),
      expires_in: {},
    });
    expect(upper.status).toBe(200);
  });

  test('is refused for tokens and users that are not the homeserver’s', async () => {
    expect(code(await register(openId({ access_token: 'wrong' })))).toEqual([
      401,
      'M_UNAUTHORIZED',
    ]);
    const other = await register(openId({ access_token: 'another' }));
    expect(other.status).toBe(502);
    expect(other.json.error).toContain('not of that homeserver');
  });

  test.each(FAILURES)(
    'a homeserver that %s gives a telling 502, and no token',
    async (_what, script) => {
      homeserver.script(USERINFO, script);
      const before = await server.database.execute('select count(*) as count from tokens');
      const answer = await register(openId());
      homeserver.script(USERINFO, undefined);
      expect(answer.status).toBe(502);
      expect(answer.json.errcode).toBe('M_UNKNOWN');
      expect(answer.json.error).toContain(homeserver.serverName.replace(/:\d+$/, ''));
      expect(answer.text).not.toContain('opensesame');
      // Nothing that an operator can do about.
      const warnings = server.logs
        .map((line) => JSON.parse(line))
        .filter(({ level }) => level >= 40);
      expect(warnings.filter(({ oddity }) => oddity === undefined)).toEqual([]);
      expect(await server.database.execute('select count(*) as count from tokens')).toEqual(before);
    },
  );

  test('names that are none, or lead nowhere, are refused', async () => {
    for (const name of ['', 'a b', 'https://x.test', 'x.test/y', '[::1', '@ada:x.test']) {
      const answer = await register(openId({ matrix_server_name: name }));
      expect(code(answer)).toEqual([400, 'M_INVALID_PARAM']);
    }
    expect((await register(openId({ matrix_server_name: '10.0.0.1:8448' }))).status).toBe(502);
    expect((await register(openId({ matrix_server_name: '127.0.0.1:1' }))).status).toBe(502);
    for (const wrong of [1, {}, ['x']]) {
      const answer = await register(openId({ matrix_server_name: wrong }));
      expect(code(answer)).toEqual([400, 'M_INVALID_PARAM']);
      expect(code(await register(openId({ access_token: wrong })))).toEqual([
        400,
        'M_INVALID_PARAM',
      ]);
    }
    expect((await register({})).json.error).toBe(
      'Missing parameters: matrix_server_name,access_token',
    );
  });
});

test('only users of listed homeservers register where there is a list', async () => {
  const server = await startTestServer({
    sections: {
      general: `${homeserver.reachable}enable_v1_access = false\nhomeserver_allow_list = other.test`,
    },
    trustedCa: ca.pem,
  });
  const answer = await postJson(`${server.url}/_matrix/identity/v2/account/register`, openId());
  expect(code(answer)).toEqual([403, 'M_UNAUTHORIZED']);
  await server.stop();
});

test('registrations that succeed are limited by network, and others are not', async () => {
  const server = await startTestServer({
    sections: {
      general: `${homeserver.reachable}limits.enforce = true`,
      limits: 'register.ratelimit.burst = 2',
      http: 'obey_x_forwarded_for = true',
    },
    trustedCa: ca.pem,
  });
  const register = (network: string, more: object = {}) =>
    request(`${server.url}/_matrix/identity/v2/account/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': network },
      body: JSON.stringify(openId(more)),
    });
  const attacker = '192.0.2.1';
  for (let i = 0; i < 5; i++) {
    expect((await register(attacker, { access_token: 'wrong' })).status).toBe(401);
  }
  // However many come at once, no more than the limit succeed.
  const answers = await Promise.all(Array.from({ length: 6 }, () => register(attacker)));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 429, 429, 429, 429]);
  const refused = await register(attacker);
  expect(code(refused)).toEqual([429, 'M_LIMIT_EXCEEDED']);
  expect(refused.json.error).toContain('register.ratelimit');
  expect((await register('198.51.100.7')).status).toBe(200);
  server.clock.advance(refused.json.retry_after_ms);
  expect((await register(attacker)).status).toBe(200);
  await server.stop();
});
