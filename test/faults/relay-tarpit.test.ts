import { afterEach, beforeEach, expect, test } from 'vitest';
import { get, postJson } from '../support/http.ts';
import { mailer, relay } from '../support/mailer.ts';
import { startTestServer } from '../support/server.ts';
import type { TestRelay } from '../support/smtp.ts';
import { startTarpit, type Tarpit } from '../support/tarpit.ts';

const MESSAGE = Buffer.from('Subject: x\r\n\r\nx\r\n');
const CONNECTIONS = 3;
/** Milliseconds. */
const GREETING = 2000;
const TOTAL = 3000;
const DRIP = 100;

let behind: TestRelay;
let tarpit: Tarpit | undefined;
beforeEach(async () => {
  behind = await relay();
});
afterEach(() => tarpit?.close());

test.each([
  { name: 'says nothing', drip: undefined, limit: GREETING },
  { name: 'greets, then says an octet now and then', drip: DRIP, limit: TOTAL },
])('a relay that $name holds no mail for longer than the limit', async ({ drip, limit }) => {
  tarpit = await startTarpit(behind.port, drip);
  const pooled = mailer(tarpit.port, `email.smtp_connections = ${CONNECTIONS}`, {
    timeouts: { greeting: GREETING, total: TOTAL },
  });
  const send = (name: string) => pooled.send(`${name}@b.test`, MESSAGE);
  const begun = performance.now();
  // Twice as many as there are connections.
  const outcomes = await Promise.allSettled(['a', 'b', 'c', 'd', 'e', 'f'].map(send));
  const took = performance.now() - begun;
  expect(took).toBeGreaterThan(limit * 0.9);
  // Those that waited for a connection had no time of their own.
  expect(took).toBeLessThan(2 * TOTAL);
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { fault: 'email-not-sent' } });
  }
  await expect.poll(() => tarpit?.open).toBe(0);
  tarpit.letThrough();
  // As many at once as ever.
  await Promise.all(['g', 'h', 'i', 'j', 'k', 'l'].map(send));
  expect(behind.mails).toHaveLength(6);
  expect(behind.connections).toBeLessThanOrEqual(CONNECTIONS);
});

test('requests for codes are refused while the relay never greets, others go on, and codes go out once it does', async () => {
  let connected = 0;
  let isSilent = true;
  const server = await startTestServer({
    smtp: {
      onConnect(_session, done) {
        connected++;
        if (!isSilent) done();
      },
    },
  });
  try {
    const ask = (number: number) =>
      postJson(`${server.url}/_matrix/identity/api/v1/validate/email/requestToken`, {
        email: `u${number}@d${number}.test`,
        client_secret: 'abcd',
        send_attempt: 1,
      });
    let isOver = false;
    const begun = performance.now();
    const asked = Promise.all([1, 2, 3].map(ask)).finally(() => {
      isOver = true;
    });
    await expect.poll(() => connected).toBe(3);
    let longest = 0;
    while (!isOver) {
      const since = performance.now();
      const query = { medium: 'email', address: 'ada@sample.test' };
      for (const { status } of [
        await get(`${server.url}/_matrix/identity/api/v1`),
        await get(`${server.url}/_matrix/identity/api/v1/lookup`, query),
      ]) {
        expect(status).toBe(200);
      }
      longest = Math.max(longest, performance.now() - since);
    }
    const took = performance.now() - begun;
    for (const { status, json } of await asked) {
      expect({ status, errcode: json.errcode }).toEqual({
        status: 400,
        errcode: 'M_EMAIL_SEND_ERROR',
      });
    }
    // The limit for a greeting is 10 s, that for all of it a minute.
    expect(took).toBeLessThan(30_000);
    expect(longest).toBeLessThan(5000);
    isSilent = false;
    const answers = await Promise.all([1, 2, 3, 4, 5, 6].map(ask));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(server.smtp.mails).toHaveLength(6);
  } finally {
    await server.stop();
  }
});
