import { afterEach, describe, expect, test } from 'vitest';
import { runCommand } from '../support/commands.ts';
import { ENGINES } from '../support/databases.ts';
import { startTestServer, type TestServer, type TestServerOptions } from '../support/server.ts';
import { startTwilio, startWebhook, type TestProvider } from '../support/sms.ts';

const closing: { close(): unknown }[] = [];
afterEach(async () => {
  for (const item of closing.splice(0).reverse()) await item.close();
});

async function serverOf(options: TestServerOptions): Promise<TestServer> {
  const server = await startTestServer({ now: Date.now(), ...options });
  closing.push({ close: () => server.stop() });
  return server;
}

async function opened(start: () => Promise<TestProvider>): Promise<TestProvider> {
  const provider = await start();
  closing.push(provider);
  return provider;
}

const run = (server: TestServer, ...args: string[]) =>
  runCommand(...args, '-c', server.config.files[0] ?? '');
async function json(server: TestServer, ...args: string[]) {
  const { status, output } = await run(server, ...args, '--json');
  return { status, ...JSON.parse(output) };
}

const LOGIN = 'email.smtpusername = user\nemail.smtppassword = hush-hush';

describe.each(ENGINES)('beside a server on %s', (engine) => {
  test('a test mail arrives, the dialogue is shown, and the trail has it', async () => {
    const server = await serverOf({ engine });
    const { status, output } = await run(server, 'mail', 'test', 'Ada@sample.test');
    expect(status).toBe(0);
    const { parsed, to } = await server.smtp.nextMail();
    expect(to).toEqual(['Ada@sample.test']);
    expect(parsed.subject).toBe('Test of the identity server id.test');
    expect(output).toMatch(/^< 220 /);
    for (const line of ['> EHLO id.test', '> RCPT TO:<Ada@sample.test>', '> DATA', '< 250']) {
      expect(output).toContain(`\n${line}`);
    }
    expect(output).not.toContain('Nothing is to be done');
    expect(output).toContain(`\nSent\n  message_id: ${parsed.messageId}\n`);
    expect(
      JSON.parse((await run(server, 'trace', 'ada@sample.test', '--json')).output),
    ).toMatchObject({
      events: [{ event: 'sent', details: { what: 'test', message_id: parsed.messageId } }],
    });
  });

  test('there are ten an hour, from wherever they come', async () => {
    const server = await serverOf({ engine });
    for (let i = 0; i < 10; i++) {
      expect((await json(server, 'mail', 'test', `a${i}@sample.test`)).sent).toBe(true);
    }
    expect(await json(server, 'mail', 'test', 'b@sample.test')).toMatchObject({
      status: 1,
      sent: false,
      outcome: 'limited',
      details: { reason: expect.stringMatching(/try again in \d+ minutes/) },
    });
    expect(server.smtp.mails).toHaveLength(10);
  });
});

describe('a test mail that fails says what to change:', () => {
  test('a password that is refused, which is in no output', async () => {
    const server = await serverOf({
      sections: { email: LOGIN },
      smtp: {
        authMethods: ['PLAIN', 'LOGIN'],
        allowInsecureAuth: true,
        // As some do, it repeats what it was given.
        onAuth: ({ password }, _session, done) => done(new Error(`no: ${password}`)),
      },
    });
    const { status, output } = await run(server, 'mail', 'test', 'ada@sample.test');
    expect(status).toBe(1);
    expect(output).toContain('\nNot sent (refused)\n');
    expect(output).toContain(
      `email.smtppassword was refused by the relay 127.0.0.1:${server.smtp.port} (535)`,
    );
    expect(output).toMatch(/> AUTH PLAIN \S+\n< 535 no: \(hidden\)\n/);
    expect(output).not.toContain('hush');
    expect(output).not.toContain(Buffer.from('\0user\0hush-hush').toString('base64'));
  });

  const refusing = (responseCode: number, text: string) =>
    Object.assign(new Error(text), { responseCode });
  test.each<[string, TestServerOptions['smtp'], string]>([
    [
      'a sender',
      { onMailFrom: (_from, _session, done) => done(refusing(553, 'not yours')) },
      'The address in email.from was refused by',
    ],
    [
      'relaying',
      { onRcptTo: (_to, _session, done) => done(refusing(554, 'Relay access denied')) },
      'Mails of this server are not passed on by',
    ],
    [
      'no login',
      { onMailFrom: (_from, _session, done) => done(refusing(530, 'Login first')) },
      'A login is wanted by',
    ],
  ])('%s that is refused', async (_what, smtp, advice) => {
    const server = await serverOf({ ...(smtp && { smtp }) });
    const tested = await json(server, 'mail', 'test', 'ada@sample.test');
    expect(tested).toMatchObject({ status: 1, sent: false, outcome: 'refused' });
    expect(tested.advice).toContain(advice);
  });

  test('an address that the relay does not know is nobody’s fault here', async () => {
    const server = await serverOf({});
    server.smtp.refuse(550);
    const tested = await json(server, 'mail', 'test', 'ada@sample.test');
    expect(tested).toMatchObject({
      status: 1,
      outcome: 'refused',
      details: { response_code: 550 },
    });
    expect(tested.advice).toBeUndefined();
  });

  test('a relay that is not there, or speaks no TLS', async () => {
    const server = await serverOf({ sections: { email: 'email.tlsmode = TLS' } });
    const noTls = await json(server, 'mail', 'test', 'ada@sample.test');
    expect(noTls.advice).toContain('There is no TLS with the relay');
    await server.smtp.close();
    const away = await json(server, 'mail', 'test', 'ada@sample.test');
    expect(away).toMatchObject({ status: 1, outcome: 'unreachable' });
    expect(away.advice).toContain('look at email.smtphost and email.smtpport');
  });
});

describe('a test text message', () => {
  test('is sent, and what the provider answers is shown without secrets', async () => {
    const provider = await opened(startTwilio);
    const server = await serverOf({ sections: { sms: provider.config } });
    const { status, output } = await run(server, 'sms', 'test', '+44 7700 900750');
    expect(status).toBe(0);
    expect(provider.messages).toMatchObject([
      { text: 'Test of the identity server id.test. Nothing is to be done.' },
    ]);
    expect(output).toMatch(
      /^> POST http:\/\/127\.0\.0\.1:\d+\/2010-04-01\/Accounts\/AC0123\/Messages\.json\n< HTTP 201\n/,
    );
    expect(output).toContain('message_id: SM0123456789abcdef');
    expect(output).not.toContain('tw-hush');
    expect((await run(server, 'trace', '447700900750')).output).toContain('test handed over');
  });

  test('that the provider refuses says what to change, if anything', async () => {
    const provider = await opened(startWebhook);
    const server = await serverOf({
      sections: { sms: provider.config.replace('wh-hush', 'wh-wrong') },
    });
    const tested = await json(server, 'sms', 'test', '+44 7700 900750');
    expect(tested).toMatchObject({ status: 1, sent: false, outcome: 'refused' });
    expect(tested.advice).toContain('sms.webhook.secret');
    expect(JSON.stringify(tested)).not.toMatch(/wh-wrong|key=1/);
    await provider.close();
    const away = await json(server, 'sms', 'test', '+44 7700 900750');
    expect(away).toMatchObject({ status: 1, outcome: 'unreachable' });
    expect(away.advice).toContain('look at sms.webhook.url');
  });

  test('is not sent where text messages are off, or refused by a rule', async () => {
    const off = await serverOf({});
    expect(await json(off, 'sms', 'test', '+44 7700 900750')).toMatchObject({
      status: 1,
      outcome: 'off',
    });
    const provider = await opened(startTwilio);
    const server = await serverOf({ sections: { sms: `${provider.config}\nsmsrule.33 = reject` } });
    expect(await json(server, 'sms', 'test', '+33 6 12 34 56 78')).toMatchObject({
      status: 1,
      outcome: 'refused',
    });
    expect(provider.posts).toEqual([]);
  });
});

test.each([
  [['mail', 'test', '+44 7700 900123'], 'is no email address'],
  [['mail', 'test', '@ada:sample.test'], 'is a user id, not an address'],
  [['mail'], 'mail wants one of'],
  [['sms', 'test', 'ada@sample.test'], 'is no phone number'],
  [['sms', 'test', '+1'], 'no phone number'],
])('%j is not understood', async (args, reason) => {
  const server = await serverOf({});
  expect(await run(server, ...args)).toMatchObject({
    status: 2,
    output: expect.stringContaining(reason),
  });
});
