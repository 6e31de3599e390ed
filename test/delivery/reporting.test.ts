import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import { postJson } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

describe.runIf(ENGINES.includes('sqlite'))('a relay that repeats whom a mail is for', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({
      smtp: {
        onRcptTo({ address }, _session, done) {
          const words = `5.1.1 <${address}>: user unknown; no ${address.toUpperCase()} here`;
          done(Object.assign(new Error(words), { responseCode: 550 }));
        },
      },
    });
  });
  afterAll(() => server.stop());

  test('does not have that written into the log, or the words of the trail', async () => {
    const asked = { client_secret: 'secret', email: 'Ada+Sent@sample.test', send_attempt: 1 };
    const path = '/_matrix/identity/api/v1/validate/email/requestToken';
    expect((await postJson(`${server.url}${path}`, asked)).status).toBe(400);
    const lines = server.logs.filter((line) => line.includes('Mail not sent'));
    expect(lines).toEqual([
      expect.stringContaining('5.1.1 <(address)>: user unknown; no (address) here'),
    ]);
    const other = { client_secret: 'other', email: 'ada@bücher.test', send_attempt: 1 };
    expect((await postJson(`${server.url}${path}`, other)).status).toBe(400);
    expect(server.logs.join()).not.toMatch(/@(?:bücher|xn--bcher-kva)\.test/i);
    expect(server.logs.join().toLowerCase()).not.toContain('ada+sent@');
    const events = () =>
      server.database.execute(
        "select details from cognomen_message_events where event = 'not-sent'",
      );
    await expect.poll(events).toHaveLength(2);
    expect(JSON.stringify(await events())).toContain('<(address)>: user unknown');
  });
});
