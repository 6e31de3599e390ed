import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createClock } from '../../src/platform/clock.ts';
import { ENGINES } from '../support/databases.ts';
import { answerJson, startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { get, postJson } from '../support/http.ts';
import { bind, invite } from '../support/invitations.ts';
import { noticesWithin, startTestServer, type TestServer } from '../support/server.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const ONBIND = '/_matrix/federation/v1/3pid/onbind';
const HOUR = 60 * 60 * 1000;
/** The allowance of a sender: two, and another each minute. */
const BURST = 2;
const MINUTE = 60_000;

let ca: TestCa;
beforeAll(async () => {
  ca = await createTestCa();
});
afterAll(() => ca.remove());

describe.each(ENGINES)('when the clock steps, on %s,', (engine) => {
  let hs: TestHomeserver;
  let server: TestServer;
  let user: string;

  beforeEach(async () => {
    hs = await startHomeserver({ ca });
    user = `@ada:${hs.serverName}`;
    server = await startTestServer({
      engine,
      trustedCa: ca.pem,
      noticeTimings: { poll: 20 },
      homeserverTimings: noticesWithin(5000),
      sections: {
        general: hs.reachable,
        email: `email.ratelimit_sender.burst = ${BURST}\nemail.ratelimit_sender.rate_hz = 1/60`,
      },
    });
  });
  afterEach(async () => {
    await server.stop();
    await hs.close();
  });

  const logged = (text: string) => server.logs.some((line) => line.includes(text));
  const owed = async () => (await server.database.execute('select 1 from cognomen_notices')).length;

  test('a binding made just before is found, and its homeserver told of it', async () => {
    await invite(server, 'ada@sample.test');
    hs.script(ONBIND, (_request, response) => answerJson(response, 503, {}));
    server.clock.step(3 * HOUR);
    await bind(server, 'ada@sample.test', user);
    await expect.poll(() => logged('did not take a notice')).toBe(true);
    hs.script(ONBIND, undefined);
    server.clock.step(-3 * HOUR);

    const query = { medium: 'email', address: 'ada@sample.test' };
    const v1 = await get(`${server.url}/_matrix/identity/api/v1/lookup`, query);
    expect(v1.json).toMatchObject({ mxid: user });
    const v2 = `${server.url}/_matrix/identity/v2`;
    const token = await server.token('@asks:sample.test');
    const { lookup_pepper: pepper } = (await get(`${v2}/hash_details`, {}, token)).json;
    const hash = createHash('sha256').update(`ada@sample.test email ${pepper}`).digest('base64url');
    const asked = { algorithm: 'sha256', pepper, addresses: [hash] };
    const found = await postJson(`${v2}/lookup`, asked, token);
    expect(found.json.mappings).toEqual({ [hash]: user });
    // Not in three hours, which its turn was set for.
    await expect.poll(owed).toBe(0);
    expect(hs.onbinds.at(-1)).toMatchObject({ mxid: user, invites: [{ mxid: user }] });
  });

  test('a limit refuses no longer than a full allowance takes to come back', async () => {
    const ask = async (number: number) => {
      const answer = await postJson(
        `${server.url}/_matrix/identity/api/v1/validate/email/requestToken`,
        { email: `u${number}@sample.test`, client_secret: 'abcd', send_attempt: 1 },
      );
      return answer.status === 200 ? 0 : answer.json.retry_after_ms;
    };
    if (engine === 'postgres') {
      // It goes by the database's time there, which passes meanwhile: whatever this process's is.
      server.clock.step(3 * HOUR);
      expect([await ask(1), await ask(2)]).toEqual([0, 0]);
      for (const step of [0, -3 * HOUR, 30 * HOUR]) {
        server.clock.step(step);
        const wait = await ask(3);
        expect(wait).toBeGreaterThan(0);
        expect(wait).toBeLessThanOrEqual(MINUTE);
      }
      return;
    }
    server.clock.step(3 * HOUR);
    expect([await ask(1), await ask(2), await ask(3)]).toEqual([0, 0, MINUTE]);
    server.clock.step(-3 * HOUR);
    expect(await ask(4)).toBe(MINUTE);
    server.clock.advance(MINUTE);
    expect([await ask(5), await ask(6)]).toEqual([0, MINUTE]);
    // Nor does it let anything through because the time was set.
    server.clock.step(3 * HOUR);
    expect(await ask(7)).toBe(MINUTE);
  });

  test('a homeserver is told of bindings that failed under a clock far ahead', async () => {
    hs.script(ONBIND, (_request, response) => answerJson(response, 503, {}));
    server.clock.step(30 * HOUR);
    await bind(server, 'ada@sample.test', user);
    await expect.poll(() => logged('did not take a notice')).toBe(true);
    hs.script(ONBIND, undefined);
    server.clock.step(-30 * HOUR);
    // Another start goes by the database alone, and so far ahead no time is remembered.
    await server.restart();
    await expect.poll(owed).toBe(0);
    expect(hs.onbinds.at(-1)).toMatchObject({ mxid: user });
  });
});

test('the latest time is remembered, where it is not a day ahead', () => {
  let wall = 1000;
  const clock = createClock(
    () => wall,
    () => 0,
  );
  expect(clock.latest()).toBe(1000);
  wall += 10 * HOUR;
  expect(clock.now()).toBe(wall);
  wall -= 9 * HOUR;
  expect([clock.now(), clock.latest()]).toEqual([wall, wall + 9 * HOUR]);
  wall += 400 * HOUR;
  expect(clock.latest()).toBe(wall);
  wall -= 399 * HOUR;
  expect(clock.latest()).toBe(wall);
});
