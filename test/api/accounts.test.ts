import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import { get, postJson, request, type TestAnswer } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const DAY = 24 * 60 * 60 * 1000;
const code = ({ status, json }: TestAnswer) => [status, json.errcode];

describe.each(ENGINES)('access tokens on %s', (engine) => {
  let server: TestServer;
  const v2 = () => `${server.url}/_matrix/identity/v2`;

  beforeAll(async () => {
    server = await startTestServer({ engine });
  });
  afterAll(() => server.stop());

  test('one of Sydent’s tells whose it is, and stays as it was', async () => {
    const token = await server.token('@ada:sample.test');
    expect((await get(`${v2()}/account`, {}, token)).json).toEqual({ user_id: '@ada:sample.test' });
    const rows = await server.database.execute('select token from tokens where user_id = ?', [
      '@ada:sample.test',
    ]);
    expect(rows).toEqual([{ token }]);
  });

  test('none, an unknown one and a stored form of one are refused alike, with CORS', async () => {
    const answers = await Promise.all([
      get(`${v2()}/account`),
      get(`${v2()}/account`, {}, 'nobody'),
      get(`${v2()}/account`, {}, 'sha256:nothing'),
      get(`${v2()}/account`, {}, 'x'.repeat(2000)),
      request(`${v2()}/account`, { headers: { authorization: 'Basic abc' } }),
      get(`${v2()}/account`, { access_token: '%00' }),
      postJson(`${v2()}/account/logout`, {}),
      postJson(`${v2()}/account/logout`, {}, 'nobody'),
      postJson(`${v2()}/lookup`, {}),
      postJson(`${v2()}/validate/email/submitToken`, {}),
    ]);
    for (const answer of answers) {
      expect(code(answer)).toEqual([401, 'M_UNAUTHORIZED']);
      expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    }
  });

  test('comes in the header in any case, or in the query of a GET, but not of a POST', async () => {
    const token = await server.token('@ada:sample.test');
    const header = await request(`${v2()}/account`, {
      headers: { authorization: `bearer  ${token}` },
    });
    expect(header.status).toBe(200);
    expect((await get(`${v2()}/hash_details`, { access_token: token })).status).toBe(200);
    expect(code(await postJson(`${v2()}/account/logout?access_token=${token}`, {}))).toEqual([
      401,
      'M_UNAUTHORIZED',
    ]);
    expect(code(await postJson(`${v2()}/lookup`, { access_token: token }))[0]).toBe(401);
    expect(server.logs.join('')).not.toContain(token);
  });

  test('is gone after the logout, which needs no body; others of the user stay', async () => {
    const token = await server.token('@ada:sample.test');
    const other = await server.token('@ada:sample.test');
    const out = await request(`${v2()}/account/logout`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    });
    expect(out.json).toEqual({});
    expect(code(await get(`${v2()}/account`, {}, token))).toEqual([401, 'M_UNAUTHORIZED']);
    expect((await get(`${v2()}/account`, {}, other)).status).toBe(200);
  });

  test('expires when nobody has used it for 90 days', async () => {
    const used = await server.token('@used:sample.test');
    const unused = await server.token('@unused:sample.test');
    await server.restart();
    const dated = 'select 1 from cognomen_tokens where token = ?';
    await expect.poll(() => server.database.execute(dated, [unused])).toHaveLength(1);
    server.clock.advance(89 * DAY);
    expect((await get(`${v2()}/account`, {}, used)).status).toBe(200);
    server.clock.advance(DAY);
    expect((await get(`${v2()}/account`, {}, used)).status).toBe(200);
    expect(code(await get(`${v2()}/account`, {}, unused))).toEqual([401, 'M_UNAUTHORIZED']);
    await server.restart();
    await expect
      .poll(() =>
        server.database.execute('select 1 from tokens where user_id = ?', ['@unused:sample.test']),
      )
      .toEqual([]);
    expect((await get(`${v2()}/account`, {}, used)).status).toBe(200);
  });
});

test('the query form and the expiry can be switched off', async () => {
  const server = await startTestServer({
    sections: {
      general: 'access_token.lifetime_days = 0',
      http: 'access_token.in_query = false',
    },
  });
  const token = await server.token('@ada:sample.test');
  const account = `${server.url}/_matrix/identity/v2/account`;
  expect((await get(account, { access_token: token })).status).toBe(401);
  expect((await get(account, {}, token)).status).toBe(200);
  server.clock.advance(5000 * DAY);
  expect((await get(account, {}, token)).status).toBe(200);
  await server.stop();
});
