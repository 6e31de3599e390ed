import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDatabase, ENGINES, type TestDatabase } from '../support/databases.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { get, postJson } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const MOST = 100;
const HOUR = 60 * 60 * 1000;

let ca: TestCa;
let homeserver: TestHomeserver;
beforeAll(async () => {
  ca = await createTestCa();
  homeserver = await startHomeserver({ ca });
});
afterAll(async () => {
  await homeserver.close();
  await ca.remove();
});

describe.each(ENGINES)('an account on %s', (engine) => {
  let database: TestDatabase;
  let server: TestServer;
  beforeAll(async () => {
    database = await createDatabase(engine);
    server = await start();
  });
  afterAll(async () => {
    await server.stop();
    await database.drop();
  });

  const start = () =>
    startTestServer({
      engine,
      database,
      trustedCa: ca.pem,
      sections: { general: homeserver.reachable },
    });
  const user = (name: string) => {
    const userId = `@${name}:${homeserver.serverName}`;
    homeserver.openIdTokens.set(name, userId);
    return userId;
  };
  async function register(name: string, at = server): Promise<string> {
    const { status, json } = await postJson(`${at.url}/_matrix/identity/v2/account/register`, {
      access_token: name,
      token_type: 'Bearer',
      matrix_server_name: homeserver.serverName,
      expires_in: 3600,
    });
    expect(status).toBe(200);
    return json.token;
  }
  const works = async (token: string, at = server) =>
    (await get(`${at.url}/_matrix/identity/v2/account`, {}, token)).status === 200;
  const tokensOf = async (userId: string) =>
    (await database.execute('select token from tokens where user_id = ?', [userId])).length;
  async function addSydentTokens(userId: string, prefix: string, count: number) {
    const rows = Array.from({ length: count }, (_, i) => `('${prefix}${i}', '${userId}')`);
    await database.execute(`insert into tokens (token, user_id) values ${rows.join()}`);
  }

  test('has at most 100 tokens: the one that was used longest ago goes', async () => {
    const ada = user('ada');
    const first = await register('ada');
    const second = await register('ada');
    server.clock.advance(7 * HOUR);
    const tokens: string[] = [];
    for (let i = 2; i < MOST; i++) {
      server.clock.advance(1);
      tokens.push(await register('ada'));
    }
    server.clock.advance(HOUR);
    expect(await works(first)).toBe(true);
    expect(await tokensOf(ada)).toBe(MOST);
    const other = await register('ada');
    expect(await tokensOf(ada)).toBe(MOST);
    // The first was used since, the second never was.
    expect([await works(first), await works(second), await works(other)]).toEqual([
      true,
      false,
      true,
    ]);
    await register('ada');
    expect([await works(tokens[0] ?? ''), await works(tokens[1] ?? '')]).toEqual([false, true]);
    expect(await tokensOf(ada)).toBe(MOST);
    const orphans = await database.execute(
      'select token from cognomen_tokens where token not in (select token from tokens)',
    );
    expect(orphans).toEqual([]);
  });

  test('nobody else loses any', async () => {
    const bob = await server.token(user('bob'));
    await register('ada');
    expect(await works(bob)).toBe(true);
  });

  test('tokens of Sydent count, dated or not, and those in use stay', async () => {
    const eve = user('eve');
    const used = await server.token(eve);
    await addSydentTokens(eve, 'sydent', 150);
    expect(await works(used)).toBe(true);
    expect(await tokensOf(eve)).toBe(151);
    const token = await register('eve');
    expect(await tokensOf(eve)).toBe(MOST);
    expect([await works(used), await works(token)]).toEqual([true, true]);
  });

  test('has the new token in any case, also where the clock of another process is ahead', async () => {
    const ivan = user('ivan');
    await server.token(ivan);
    await addSydentTokens(ivan, 'ahead', MOST);
    await database.execute(
      "insert into cognomen_tokens (token, last_used_ts) select token, ? from tokens where token like 'ahead%'",
      [server.clock.now() + HOUR],
    );
    for (let i = 0; i < 3; i++) expect(await works(await register('ivan'))).toBe(true);
    expect(await tokensOf(ivan)).toBe(MOST);
  });

  test('very many go at once, and the new one works', async () => {
    const mallory = user('mallory');
    await server.token(mallory);
    await addSydentTokens(mallory, 'many', 12_000);
    const token = await register('mallory');
    expect(await tokensOf(mallory)).toBe(MOST);
    expect(await works(token)).toBe(true);
  });

  test('has no more after many register at once, in two processes, while some log out', async () => {
    // SQLite's file belongs to one.
    const twin = engine === 'postgres' ? await start() : server;
    const grace = user('grace');
    for (let i = 0; i < MOST; i++) await register('grace');
    const registrations = () =>
      Array.from({ length: 40 }, (_, i) => register('grace', i % 2 === 0 ? server : twin));
    await Promise.all(registrations());
    expect(await tokensOf(grace)).toBe(MOST);

    const logOut = (token: string, at: TestServer) =>
      postJson(`${at.url}/_matrix/identity/v2/account/logout`, {}, token);
    const results = await Promise.allSettled([
      ...registrations(),
      ...(await Promise.all(registrations()))
        .slice(0, 20)
        .map((token, i) => logOut(token, i % 2 === 0 ? server : twin)),
    ]);
    expect(results.filter(({ status }) => status === 'rejected')).toEqual([]);
    for (const result of results.slice(20)) {
      if (result.status === 'fulfilled' && typeof result.value !== 'string') {
        expect([200, 401]).toContain(result.value.status);
      }
    }
    expect(await tokensOf(grace)).toBeLessThanOrEqual(MOST);
    expect(await tokensOf(grace)).toBeGreaterThanOrEqual(MOST - 20);
    expect(server.logs.concat(twin.logs).join('')).not.toMatch(/deadlock|Request failed/);
    if (twin !== server) await twin.stop();
  });
});
