import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createDatabase, ENGINES } from '../support/databases.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { get, postJson, request } from '../support/http.ts';
import { startTestServer } from '../support/server.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

/** So many requests to one homeserver are under way, and so many wait. */
const [PLACES, WAITING] = [50, 250];
const USERINFO = '/_matrix/federation/v1/openid/userinfo';
const UNBIND = '/_matrix/identity/v2/3pid/unbind';

let ca: TestCa;
let homeserver: TestHomeserver;
beforeAll(async () => {
  ca = await createTestCa();
  homeserver = await startHomeserver({ ca });
  homeserver.openIdTokens.set('opensesame', `@ada:${homeserver.serverName}`);
});
afterAll(async () => {
  await homeserver.close();
  await ca.remove();
});

test.each(ENGINES)(
  'what a slow homeserver has no room for is told to come back, and nobody else waits (%s)',
  async (engine) => {
    const database = await createDatabase(engine);
    onTestFinished(database.drop);
    const server = await startTestServer({
      database,
      // Patient enough for a slow machine, as is what follows.
      sections: {
        general: homeserver.reachable,
        db: `${database.config}\ndb.connect_timeout = 60`,
      },
      trustedCa: ca.pem,
      outboundLimits: { rooms: { logins: { patience: 60_000 } } },
      homeserverTimings: { login: { answer: 60_000, total: 60_000 } },
    });
    const v2 = `${server.url}/_matrix/identity/v2`;
    const openId = { matrix_server_name: homeserver.serverName, access_token: 'opensesame' };
    const register = () => postJson(`${v2}/account/register`, openId);
    const held = Promise.withResolvers<void>();
    let asked = 0;
    homeserver.script(USERINFO, async () => {
      asked++;
      await held.promise;
      return false;
    });

    // One more than there is room for.
    const all = Array.from({ length: PLACES + WAITING + 1 }, register);
    await expect.poll(() => asked).toBe(PLACES);
    const refused = await Promise.race(all);
    expect([refused.status, refused.json.errcode]).toEqual([503, 'M_LIMIT_EXCEEDED']);
    expect(refused.json.retry_after_ms).toBeGreaterThan(0);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);

    const content = {
      threepid: { medium: 'email', address: 'ada@sample.test' },
      mxid: `@ada:${homeserver.serverName}`,
    };
    const unbound = await request(`${server.url}${UNBIND}`, {
      method: 'POST',
      headers: { authorization: homeserver.authorization({ uri: UNBIND, content }) },
      body: JSON.stringify(content),
    });
    // Keys have room of their own.
    expect(unbound.status).toBe(200);
    expect((await get(`${v2}/hash_details`, {}, await server.token('@a:b.test'))).status).toBe(200);

    held.resolve();
    const statuses = (await Promise.all(all)).map(({ status }) => status);
    expect(statuses.sort()).toEqual([...Array(PLACES + WAITING).fill(200), 503]);
    homeserver.script(USERINFO, undefined);
    await server.stop();
  },
);
