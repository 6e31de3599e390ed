import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { postJson, type TestAnswer } from '../support/http.ts';
import { startTestServer } from '../support/server.ts';
import { startSilentServer } from '../support/silent.ts';
import { startOpenMarket } from '../support/sms.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const SLOW = 2000;
/** Milliseconds; nobody should wait longer for what a machine does that is busy with all the others. */
const SOON = 10_000;

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

test('thousands of requests that name slow servers delay neither a text message nor an honest login', async () => {
  const silent = await startSilentServer();
  const provider = await startOpenMarket();
  const server = await startTestServer({
    sections: {
      general: `${homeserver.reachable}limits.enforce = report`,
      sms: `${provider.config}\nmsisdn.ratelimit.burst = 1000\ncountry.ratelimit.burst = 1000`,
    },
    trustedCa: ca.pem,
  });
  const register = (name: string, token: string) =>
    postJson(`${server.url}/_matrix/identity/v2/account/register`, {
      matrix_server_name: name,
      access_token: token,
    });
  const message = (number: number) =>
    postJson(`${server.url}/_matrix/identity/api/v1/validate/msisdn/requestToken`, {
      phone_number: `07700 ${900_100 + number}`,
      country: 'GB',
      client_secret: `secret${number}`,
      send_attempt: 1,
    });
  const timed = async (asked: Promise<TestAnswer>) => {
    const begin = performance.now();
    const { status } = await asked;
    return { status, time: performance.now() - begin };
  };

  const slow = Array.from({ length: SLOW }, (_, i) =>
    register(`127.${1 + (i >> 14)}.${(i >> 7) & 127}.${1 + (i & 127)}:${silent.port}`, 'x'),
  );
  let left = SLOW;
  for (const asked of slow) void asked.finally(() => left--);
  await expect.poll(() => silent.connections, { timeout: 60_000 }).toBeGreaterThan(400);
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const answers = await Promise.all([
      timed(register(homeserver.serverName, 'opensesame')),
      timed(message(round)),
    ]);
    for (const { status, time } of answers) {
      expect(status).toBe(200);
      times.push(time);
    }
  }
  process.stdout.write(
    `beside ${left} of ${SLOW} slow ones: ${times.map((time) => Math.round(time)).join(', ')} ms\n`,
  );
  expect(Math.max(...times)).toBeLessThan(SOON);
  expect(left).toBeGreaterThan(0);

  const statuses = new Set((await Promise.all(slow)).map(({ status }) => status));
  for (const status of statuses) expect([502, 503]).toContain(status);
  await server.stop();
  await provider.close();
  await silent.close();
});
