import { afterEach, expect, test } from 'vitest';
import { postJson } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

let server: TestServer | undefined;
afterEach(() => server?.stop());

type Args = Record<string, unknown> | false;

/** What the relay was told beside the addresses of a mail, and the mail. */
async function mailed(email: string, options: { dsn: boolean; hideDSN: boolean }) {
  const told: { from?: Args; to?: Args } = {};
  server = await startTestServer({
    sections: { email: `email.ratelimit_sender.burst = 10\nemail.dsn = ${options.dsn}` },
    smtp: {
      hideDSN: options.hideDSN,
      onMailFrom(address, _session, done) {
        told.from = address.args as Args;
        done();
      },
      onRcptTo(address, _session, done) {
        told.to = address.args as Args;
        done();
      },
    },
  });
  const asked = { email, client_secret: 'hush', send_attempt: 1 };
  const url = `${server.url}/_matrix/identity/api/v1/validate/email/requestToken`;
  expect((await postJson(url, asked)).status).toBe(200);
  return { ...told, mail: await server.smtp.nextMail() };
}

test('a relay that reports on deliveries is asked to, and not for the mail itself', async () => {
  const { from, to, mail } = await mailed('ada@sample.test', { dsn: true, hideDSN: false });
  expect(from).toMatchObject({ RET: 'HDRS', ENVID: mail.parsed.messageId?.slice(1, -1) });
  expect(to).toEqual({ NOTIFY: 'FAILURE,DELAY', ORCPT: 'rfc822;ada@sample.test' });
});

test('it is asked without the address where that is not ASCII', async () => {
  const { to } = await mailed('ädä@sample.test', { dsn: true, hideDSN: false });
  expect(to).toEqual({ NOTIFY: 'FAILURE,DELAY' });
});

test.each([
  { dsn: false, hideDSN: false },
  { dsn: true, hideDSN: true },
])('it is not asked with %j', async (options) => {
  const { from, to } = await mailed('ada@sample.test', options);
  expect(from || {}).not.toHaveProperty('ENVID');
  expect(to).toBe(false);
});
