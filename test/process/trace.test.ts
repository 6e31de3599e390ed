import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../support/commands.ts';
import { ENGINES } from '../support/databases.ts';
import { postJson, request } from '../support/http.ts';
import { bind, INVITE, invite } from '../support/invitations.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { startTwilio, type TestProvider } from '../support/sms.ts';

describe.each(ENGINES)('why a message did not arrive, on %s:', (engine) => {
  let server: TestServer;
  let provider: TestProvider;
  const v1 = () => `${server.url}/_matrix/identity/api/v1`;
  const v2 = () => `${server.url}/_matrix/identity/v2`;

  beforeAll(async () => {
    provider = await startTwilio();
    server = await startTestServer({
      engine,
      sections: {
        http: 'page.ask_before_validation = true',
        general: 'limits.enforce = true',
        limits: 'mail.recipient_share.burst = 3',
        sms: `${provider.config}\nmsisdn.ratelimit.burst = 2\nsmsrule.33 = reject`,
      },
    });
  });
  afterAll(async () => {
    await server.stop();
    await provider.close();
  });

  const run = (...args: string[]) => runCommand(...args, '-c', server.config.files[0] ?? '');
  /** The events of an address, once there are so many of them. */
  async function events(address: string, count: number) {
    const read = async () => JSON.parse((await run('trace', address, '--json')).output).events;
    await expect.poll(async () => (await read()).length).toBe(count);
    return read();
  }
  const ask = (email: string, more: object = {}, root = v1(), token?: string) =>
    postJson(
      `${root}/validate/email/requestToken?brand=vector-im`,
      { email, client_secret: 'hush', send_attempt: 1, ...more },
      token,
    );
  const askSms = (number: string, attempt = 1) =>
    postJson(`${v1()}/validate/msisdn/requestToken`, {
      phone_number: number,
      country: 'GB',
      client_secret: 'hush',
      send_attempt: attempt,
    });

  test('it was asked for, sent, opened, guessed at, proven and bound, and the homeserver was not told', async () => {
    const { sid } = (await ask('Ada@Sample.test')).json;
    await ask('ada@sample.test');
    const { parsed } = await server.smtp.nextMail();
    const link = new URL(/https:\/\/\S+submitToken\S+/.exec(parsed.text ?? '')?.[0] ?? '');
    await request(`${server.url}${link.pathname}${link.search}`);
    const token = link.searchParams.get('token') ?? '';
    const submitted = { sid, client_secret: 'hush' };
    for (const tried of ['wrong', 'wronger', token, token]) {
      await postJson(`${v1()}/validate/email/submitToken`, { ...submitted, token: tried });
    }
    await postJson(`${v1()}/3pid/bind`, { ...submitted, mxid: '@ada:nowhere.sample.test' });
    const all = await events('ADA@sample.TEST', 8);
    const client = expect.stringMatching(/^[\w-]{12}$/);
    const named = (name: string) => all.filter(({ event }: { event: string }) => event === name)[0];
    const id = expect.stringMatching(/^[0-9a-f]{32}$/);
    expect(named('asked').details).toEqual({
      what: 'verification',
      brand: 'vector-im',
      client,
      request: id,
    });
    expect(named('sent').details).toEqual({
      what: 'verification',
      brand: 'vector-im',
      message_id: parsed.messageId,
      reply: expect.stringMatching(/^250 /),
      request: named('asked').details.request,
    });
    expect(named('repeated').details.client).toEqual(client);
    expect(named('opened').times).toBe(1);
    expect(named('wrong-code').times).toBe(2);
    expect(named('proven').times).toBe(1);
    expect(named('bound').mxid).toBe('@ada:nowhere.sample.test');
    expect(named('not-told').details.homeserver).toBe('nowhere.sample.test');

    const rows = await server.database.execute('select * from cognomen_message_events');
    for (const secret of [token, 'hush', 'wronger', '127.0.0.1', 'https:']) {
      expect(JSON.stringify(rows)).not.toContain(secret);
    }
    const { status, output } = await run('trace', 'ada@sample.test');
    expect(status).toBe(0);
    expect(output.trimEnd().split('\n')).toHaveLength(8);
    expect(output).toContain(
      `verification asked for: from the network ${named('asked').details.client}, for the brand vector-im [request ${named('asked').details.request}]\n`,
    );
    expect(output).toContain(`, Message-ID ${parsed.messageId}, `);
    expect(output).toContain('so nothing was sent');
    expect(output).toContain('dead after too many of these (2 times, last ');
    expect(output).toContain('bound to @ada:nowhere.sample.test [request ');
    expect(output).toContain('nowhere.sample.test did not take notice of the binding: ');

    // One line for the mail in the log, by which it is found at the relay.
    const lines = server.logs.filter((line) => line.includes(parsed.messageId ?? '-'));
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: 30, kind: 'verification', outcome: 'sent', brand: 'vector-im' },
    ]);
    expect(lines[0]?.toLowerCase()).not.toContain('ada@');
    const metrics = await (await fetch(`${server.metricsUrl}/metrics`)).text();
    expect(metrics).toMatch(
      /cognomen_messages_total\{medium="email",kind="verification",outcome="sent"\} 1\n/,
    );
  });

  test('the relay refused it, and said why', async () => {
    server.smtp.refuse(550);
    expect((await ask('bob@sample.test')).status).toBe(400);
    server.smtp.refuse(undefined);
    const [, second] = await events('bob@sample.test', 2);
    expect(second).toMatchObject({
      event: 'not-sent',
      details: {
        outcome: 'refused',
        response_code: 550,
        message_id: expect.stringMatching(/^<.*@id\.test>$/),
      },
    });
    expect((await run('trace', 'bob@sample.test')).output).toMatch(
      /verification not sent \(refused\): .*550 No such user/,
    );
  });

  test('a limit refused it, again and again', async () => {
    const token = await server.token('@cyd:sample.test');
    for (let attempt = 1; attempt <= 6; attempt++) {
      await ask('cyd@sample.test', { send_attempt: attempt }, v2(), token);
    }
    const all = await events('cyd@sample.test', 7);
    expect(all.at(-1)).toMatchObject({
      event: 'refused',
      mxid: '@cyd:sample.test',
      details: { reason: 'mail.recipient_share' },
    });
    await expect
      .poll(async () => (await run('trace', 'cyd@sample.test')).output)
      .toMatch(
        /refused, because the limit mail\.recipient_share was reached: by @cyd:sample\.test, for the brand vector-im \(3 times, last /,
      );
  });

  test('it was a text message, which was sent, limited, or not for such numbers', async () => {
    for (const attempt of [1, 2]) expect((await askSms('07700 900750', attempt)).status).toBe(200);
    const limited = await askSms('07700 900750', 3);
    expect(limited.status).toBe(429);
    expect(limited.json).toMatchObject({
      errcode: 'M_LIMIT_EXCEEDED',
      error: expect.stringContaining('Too many text messages to this number'),
      'org.cognomen.reason': 'msisdn.ratelimit',
    });
    const all = await events('+44 7700-900750', 5);
    expect(all[1]).toMatchObject({
      event: 'sent',
      details: { provider: 'twilio', message_id: 'SM0123456789abcdef' },
    });
    expect(all.at(-1)).toMatchObject({ event: 'refused', details: { reason: 'msisdn.ratelimit' } });
    expect((await askSms('+33 6 12 34 56 78')).json).toMatchObject({
      errcode: 'M_DESTINATION_REJECTED',
      'org.cognomen.reason': 'destination-rejected',
    });
    expect(await events('+33612345678', 1)).toMatchObject([{ event: 'refused' }]);
    // Numbers that end so are not for this provider.
    expect((await askSms('+44 7700 900000')).json).toMatchObject({
      errcode: 'M_SEND_ERROR',
      error: expect.stringContaining('did not take the message'),
      'org.cognomen.reason': 'provider-refused',
    });
    expect((await events('447700900000', 2))[1]).toMatchObject({
      event: 'not-sent',
      details: { outcome: 'refused', reason: expect.stringContaining('code 21211') },
    });
  });

  test('it was an invitation: sent, or refused as the address is bound', async () => {
    await invite(server, 'dee@sample.test');
    await bind(server, 'dee@sample.test', '@dee:elsewhere.sample.test');
    await postJson(`${v1()}/store-invite`, { ...INVITE, address: 'DEE@sample.test' });
    const all = await events('dee@sample.test', 4);
    expect(all.map(({ event }: { event: string }) => event).sort()).toEqual([
      'asked',
      'not-told',
      'refused',
      'sent',
    ]);
    expect(all[0]).toMatchObject({ mxid: '@ada:sample.test', details: { what: 'invitation' } });
    const { output } = await run('trace', 'dee@sample.test');
    expect(output).toContain('invitation refused, because the address is bound to a user already');
    expect(output).toContain('did not take notice of the binding and 1 invitations');
  });

  test('nobody asked for any', async () => {
    expect(await run('trace', 'nobody@sample.test')).toMatchObject({
      status: 1,
      output: 'nothing of messages to nobody@sample.test in the last 7 days\n',
    });
    expect(await run('trace', '@ada:sample.test')).toMatchObject({ status: 2 });
    expect(await run('trace')).toMatchObject({ status: 2 });
  });

  test('nobody can write to the terminal', async () => {
    await server.database.execute(
      `insert into cognomen_message_events (medium, address, event, first_ts, last_ts, times, details)
       values ('email', 'evil@sample.test', 'refused', 1, 1, 1, ?)`,
      [JSON.stringify({ what: 'x\u001b[31m', reason: '\u001b[2J' })],
    );
    expect((await run('trace', 'evil@sample.test')).output).not.toContain('\u001b');
  });
});

test('with kept_days = 0 messages are only counted', async () => {
  const server = await startTestServer({ sections: { messages: 'kept_days = 0' } });
  try {
    const url = `${server.url}/_matrix/identity/api/v1/validate/email/requestToken`;
    await postJson(url, { email: 'ada@sample.test', client_secret: 'hush', send_attempt: 1 });
    const metrics = await (await fetch(`${server.metricsUrl}/metrics`)).text();
    expect(metrics).toContain('cognomen_messages_total{medium="email",kind="verification"');
    await server.restart();
    expect(await server.database.execute('select id from cognomen_message_events')).toEqual([]);
    const config = server.config.files[0] ?? '';
    expect((await runCommand('trace', 'ada@sample.test', '-c', config)).output).toContain(
      'nothing is kept of messages: [messages] kept_days = 0',
    );
  } finally {
    await server.stop();
  }
});

test('a stop writes what was noted last', async () => {
  const server = await startTestServer();
  try {
    const url = `${server.url}/_matrix/identity/api/v1/validate/email/requestToken`;
    await postJson(url, { email: 'ada@sample.test', client_secret: 'hush', send_attempt: 1 });
    await server.restart();
    expect(
      await server.database.execute('select event from cognomen_message_events order by id'),
    ).toEqual([{ event: 'asked' }, { event: 'sent' }]);
  } finally {
    await server.stop();
  }
});
