import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shortCodeOf } from '../../src/identity/validation/short-code.ts';
import { ENGINES } from '../support/databases.ts';
import { postJson } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const DAY = 24 * 60 * 60_000;

/** Asks for a mail; what it says, and how to send a code back. */
async function mailed(server: TestServer, email: string, attempt = 1) {
  const v1 = `${server.url}/_matrix/identity/api/v1/validate/email`;
  const asked = { client_secret: 'secret', email, send_attempt: attempt };
  const { sid } = (await postJson(`${v1}/requestToken`, asked)).json;
  const { parsed } = await server.smtp.nextMail();
  const token = /token=([A-Za-z0-9]{32})/.exec(parsed.text ?? '')?.[1] ?? '';
  const code = /^([3-9A-Y]{8})$/m.exec(parsed.text ?? '')?.[1];
  const submit = async (given: string) =>
    (await postJson(`${v1}/submitToken`, { sid, token: given, client_secret: 'secret' })).json;
  return { token, code: code ?? '', html: String(parsed.html), submit };
}

describe.each(ENGINES)('the short code in a mail, on %s,', (engine) => {
  let server: TestServer;
  beforeAll(async () => {
    const email = 'email.short_codes = true\nemail.ratelimit_sender.burst = 1000';
    server = await startTestServer({ engine, sections: { email } });
  });
  afterAll(() => server.stop());

  test('proves the address as the token does, however it is typed', async () => {
    for (const [number, type] of [
      (code: string) => code,
      (code: string) => code.toLowerCase(),
      (code: string) => ` ${code.slice(0, 4)}-${code.slice(4)} `,
    ].entries()) {
      const mail = await mailed(server, `ada${number}@sample.test`);
      expect(mail.code).toMatch(/^[3479ACDEFHJKMNPQRTWXY]{8}$/);
      expect(mail.html).toContain(mail.code);
      expect(await mail.submit(type(mail.code))).toEqual({ success: true });
      // The link in the same mail goes on working.
      expect(await mail.submit(mail.token)).toEqual({ success: true });
    }
  });

  test('is not looked for in a text that nobody types', async () => {
    const mail = await mailed(server, 'long@sample.test');
    const { errcode } = await mail.submit(`${' '.repeat(500_000)}${mail.code}`);
    expect(errcode).toBe('M_TOKEN_INCORRECT');
    expect(await mail.submit(mail.code)).toEqual({ success: true });
  });

  test('is another for each mail, and each works', async () => {
    const first = await mailed(server, 'twice@sample.test', 1);
    const second = await mailed(server, 'twice@sample.test', 2);
    expect(second.code).not.toBe(first.code);
    expect(await second.submit(first.code)).toEqual({ success: true });
  });

  test('is dead after ten wrong tries, and so is the token', async () => {
    const mail = await mailed(server, 'guessed@sample.test');
    for (let tries = 0; tries < 10; tries++) {
      expect((await mail.submit('AAAAAAA3')).errcode).toBe('M_TOKEN_INCORRECT');
    }
    for (const given of [mail.code, mail.token]) {
      expect((await mail.submit(given)).success).toBe(false);
    }
  });

  test('is dead after a day', async () => {
    const mail = await mailed(server, 'late@sample.test');
    server.clock.advance(DAY);
    expect((await mail.submit(mail.code)).success).toBe(false);
  });
});

test('where it is not configured, mails have none, and none works', async () => {
  const server = await startTestServer();
  try {
    const mail = await mailed(server, 'ada@sample.test');
    expect(mail.code).toBe('');
    expect((await mail.submit(shortCodeOf(mail.token))).errcode).toBe('M_TOKEN_INCORRECT');
    expect(await mail.submit(mail.token)).toEqual({ success: true });
  } finally {
    await server.stop();
  }
});
