import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import { get, postForm, postJson, request, type TestAnswer } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { startOpenMarket, startTwilio, startWebhook, type TestProvider } from '../support/sms.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const code = ({ status, json }: TestAnswer) => [status, json.errcode];

const codeIn = (message = '') => /Your code is (\d{6})/.exec(message)?.[1] ?? '';

describe.each(ENGINES)('phone numbers on %s', (engine) => {
  let provider: TestProvider;
  let server: TestServer;
  let token: string;
  const v1 = () => `${server.url}/_matrix/identity/api/v1`;
  const v2 = () => `${server.url}/_matrix/identity/v2`;
  let numbers = 0;
  /** A number that no other test asks about. */
  const newNumber = () => `07700 ${900_100 + ++numbers}`;

  beforeAll(async () => {
    provider = await startOpenMarket();
    server = await startTestServer({
      engine,
      sections: {
        sms: `${provider.config}\nsmsrule.33 = reject\nsmsrule.49 = allow\noriginators.1 = short:12345\ncountry.ratelimit.burst = 1000\nmsisdn.ratelimit.rate_hz = 1/3600`,
      },
    });
    token = await server.token('@ada:sample.test');
  });
  afterAll(async () => {
    await server.stop();
    await provider.close();
  });

  const ask = (number: string, attempt: unknown, more: Record<string, unknown> = {}) =>
    postJson(`${v1()}/validate/msisdn/requestToken`, {
      phone_number: number,
      country: 'GB',
      client_secret: 'secret',
      send_attempt: attempt,
      ...more,
    });
  const submit = (sid: string, code: string) =>
    postJson(`${v1()}/validate/msisdn/submitToken`, { sid, token: code, client_secret: 'secret' });
  const validated = (sid: string) =>
    get(`${v1()}/3pid/getValidated3pid`, { sid, client_secret: 'secret' });

  test('are proven with the code in the message, bound, and found', async () => {
    const answer = await ask('07700 900750', 1);
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      success: true,
      sid: expect.stringMatching(/^\d+$/),
      msisdn: '447700900750',
      intl_fmt: '+44 7700 900750',
    });
    const { sid } = answer.json;
    expect(provider.messages.at(-1)).toMatchObject({
      to: '447700900750',
      text: expect.stringMatching(/^Your code is \d{6}$/),
      from: { ton: 5, address: 'Matrix' },
    });
    expect(code(await validated(sid))).toEqual([400, 'M_SESSION_NOT_VALIDATED']);
    expect((await submit(sid, provider.lastCode())).json).toEqual({ success: true });
    expect((await validated(sid)).json).toEqual({
      medium: 'msisdn',
      address: '447700900750',
      validated_at: server.clock.now(),
    });
    const bound = await postJson(`${v1()}/3pid/bind`, {
      sid,
      client_secret: 'secret',
      mxid: '@ada:sample.test',
    });
    expect(bound.json).toMatchObject({ medium: 'msisdn', address: '447700900750' });
    const found = await get(`${v1()}/lookup`, { medium: 'msisdn', address: '447700900750' });
    expect(found.json.mxid).toBe('@ada:sample.test');
  });

  test('are proven in version 2, by users with an access token', async () => {
    const body = {
      phone_number: '+1 (650) 253-0123',
      country: 'GB',
      client_secret: 'secret',
      send_attempt: '1',
    };
    const url = `${v2()}/validate/msisdn/requestToken`;
    expect(code(await postJson(url, body))).toEqual([401, 'M_UNAUTHORIZED']);
    const answer = await postJson(url, body, token);
    expect(answer.json).toEqual({
      success: true,
      sid: expect.stringMatching(/^\d+$/),
      msisdn: '16502530123',
      intl_fmt: '+1 650-253-0123',
    });
    expect(provider.messages.at(-1)?.from).toEqual({ ton: 3, address: '12345' });
    const submitted = { sid: answer.json.sid, client_secret: 'secret', token: 'wrong' };
    const submitUrl = `${v2()}/validate/msisdn/submitToken`;
    expect(code(await postJson(submitUrl, submitted))).toEqual([401, 'M_UNAUTHORIZED']);
    const wrong = await postJson(submitUrl, submitted, token);
    expect(code(wrong)).toEqual([400, 'M_TOKEN_INCORRECT']);
    const right = await postJson(submitUrl, { ...submitted, token: provider.lastCode() }, token);
    expect(right.json).toEqual({ success: true });
  });

  test('can be proven on the page', async () => {
    for (const root of [v1(), v2()]) {
      const link = { next_link: 'https://app.test/#/done' };
      const { sid } = (await ask(newNumber(), 1, link)).json;
      const open = (given: string) =>
        get(`${root}/validate/msisdn/submitToken`, { sid, client_secret: 'secret', token: given });
      const wrong = await open('wrong');
      expect([wrong.status, wrong.headers.get('content-type')]).toEqual([
        400,
        'text/html; charset=utf-8',
      ]);
      const opened = await open(provider.lastCode());
      expect(opened.status).toBe(302);
      expect(opened.headers.get('location')).toBe(`https://app.test/#/done?sid=${sid}`);

      const plain = (await ask(newNumber(), 1, { next_link: 'element://x' })).json.sid;
      const page = await get(`${root}/validate/msisdn/submitToken`, {
        sid: plain,
        client_secret: 'secret',
        token: provider.lastCode(),
      });
      expect(page.status).toBe(200);
      expect(page.text).toContain('Your phone number is confirmed');
    }
  });

  test('come as form or query in version 1', async () => {
    const url = `${v1()}/validate/msisdn/requestToken`;
    const number = '+44 7700 900751';
    const fields = {
      phone_number: number,
      country: 'gb',
      client_secret: 'secret',
      send_attempt: '1',
    };
    const query = new URLSearchParams(fields);
    const asForm = await postForm(url, fields);
    expect(asForm.json).toMatchObject({ success: true, msisdn: '447700900751' });
    const asQuery = await request(`${url}?${query}`, { method: 'POST' });
    expect(asQuery.json).toEqual(asForm.json);
    const besideNull = await request(`${url}?${query}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: 'null',
    });
    expect(besideNull.json).toEqual(asForm.json);
    const { sid } = asForm.json;
    const submitted = await postForm(`${v1()}/validate/msisdn/submitToken`, {
      sid,
      client_secret: 'secret',
      token: provider.lastCode(),
    });
    expect(submitted.json).toEqual({ success: true });
  });

  test('are refused with an error that says what is wrong, and nothing is sent', async () => {
    const before = provider.posts.length;
    const url = `${v1()}/validate/msisdn/requestToken`;
    const missing = await postJson(url, { send_attempt: 1, next_link: 5 });
    expect(code(missing)).toEqual([400, 'M_MISSING_PARAMS']);
    expect(missing.json.error).toBe('Missing parameters: phone_number,country,client_secret');
    for (const wrong of [
      { phone_number: 447_700_900_750 },
      { phone_number: {} },
      { phone_number: ['07700 900750'] },
      { phone_number: '07700 900750\0' },
      { country: 44 },
      { country: ['GB'] },
      { client_secret: 'no spaces' },
      { client_secret: '' },
      { send_attempt: 'x' },
      { send_attempt: 1.5 },
      { send_attempt: {} },
      { next_link: 5 },
    ]) {
      const answer = await ask('07700 900750', 9, wrong);
      expect([...code(answer), wrong]).toEqual([400, 'M_INVALID_PARAM', wrong]);
      expect(answer.json.error).toContain(Object.keys(wrong)[0]);
    }
    for (const [number, country] of [
      ['garbage', 'GB'],
      ['', 'GB'],
      ['07700 900750', 'UK'],
      ['07700 900750', ''],
      ['+4912345678901234567', 'DE'],
    ]) {
      const body = {
        phone_number: number,
        country,
        client_secret: 'secret',
        send_attempt: 1,
      };
      expect(code(await postJson(url, body))).toEqual([400, 'M_INVALID_PHONE_NUMBER']);
      const current = await postJson(`${v2()}/validate/msisdn/requestToken`, body, token);
      expect(code(current)).toEqual([400, 'M_INVALID_ADDRESS']);
    }
    expect(code(await ask('+33 6 12 34 56 78', 1))).toEqual([400, 'M_DESTINATION_REJECTED']);
    expect(provider.posts).toHaveLength(before);
    expect((await ask('+49 1512 3456789', 1)).status).toBe(200);
  });

  test('have one session however they are written', async () => {
    const { sid } = (await ask('07700 900752', 1)).json;
    const before = provider.messages.length;
    for (const written of ['+447700900752', '(07700) 900-752', '0044 7700 900752']) {
      expect((await ask(written, 1)).json.sid).toBe(sid);
    }
    expect((await ask('07700 900752', 1, { client_secret: 'other' })).json.sid).not.toBe(sid);
    expect(provider.messages).toHaveLength(before + 1);
  });

  test('get one message however many requests with one attempt come at once', async () => {
    const before = provider.messages.length;
    const number = newNumber();
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(number, 1)));
    expect(new Set(answers.map((answer) => answer.json.sid)).size).toBe(1);
    expect(provider.messages).toHaveLength(before + 1);
  });

  test('get a new code with each message, and the old one is dead', async () => {
    const number = newNumber();
    const { sid } = (await ask(number, 1)).json;
    const first = provider.lastCode();
    let second = first;
    for (let attempt = 2; second === first; attempt++) {
      expect((await ask(number, attempt)).json.sid).toBe(sid);
      second = provider.lastCode();
    }
    expect((await submit(sid, first)).json).toMatchObject({
      success: false,
      errcode: 'M_TOKEN_INCORRECT',
    });
    expect((await submit(sid, second)).json).toEqual({ success: true });
  });

  test('have ten minutes for a code', async () => {
    const [inTime, late] = [newNumber(), newNumber()];
    const first = (await ask(inTime, 1)).json.sid;
    const firstCode = provider.lastCode();
    const second = (await ask(late, 1)).json.sid;
    const secondCode = provider.lastCode();
    server.clock.advance(10 * MINUTE - 1);
    expect((await submit(first, firstCode)).json).toEqual({ success: true });
    server.clock.advance(1);
    expect((await submit(second, secondCode)).json.errcode).toBe('M_SESSION_EXPIRED');
    expect((await submit(first, firstCode)).json).toEqual({ success: true });
  });

  test('a message that the provider refuses does not count, and an earlier code stays good', async () => {
    const number = newNumber();
    const { sid } = (await ask(number, 1)).json;
    const first = provider.lastCode();
    provider.behave((_request, response) => void response.writeHead(503).end());
    const refused = await ask(number, 2);
    expect(code(refused)).toEqual([400, 'M_SEND_ERROR']);
    provider.behave(undefined);
    expect((await submit(sid, first)).json).toEqual({ success: true });

    const other = newNumber();
    provider.behave((_request, response) => void response.writeHead(503).end());
    expect(code(await ask(other, 1))).toEqual([400, 'M_SEND_ERROR']);
    const dead = codeIn(provider.posts.at(-1)?.body);
    provider.behave(undefined);
    const before = provider.messages.length;
    const next = (await ask(other, 1)).json.sid;
    expect(provider.messages).toHaveLength(before + 1);
    expect((await submit(next, dead)).json.errcode).toBe('M_TOKEN_INCORRECT');
    expect((await submit(next, provider.lastCode())).json).toEqual({ success: true });
  });

  test('a message that may have gone out counts as sent, and its code is good', async () => {
    const number = newNumber();
    const { sid } = (await ask(number, 1)).json;
    provider.behave(({ socket }) => socket.destroy());
    expect(code(await ask(number, 2))).toEqual([400, 'M_SEND_ERROR']);
    const sent = codeIn(provider.posts.at(-1)?.body);
    provider.behave(undefined);
    const before = provider.messages.length;
    expect((await ask(number, 2)).json.sid).toBe(sid);
    expect(provider.messages).toHaveLength(before);
    expect((await submit(sid, sent)).json).toEqual({ success: true });
  });

  test('wrong guesses stay counted over a message that did not go out', async () => {
    const number = newNumber();
    const { sid } = (await ask(number, 1)).json;
    const right = provider.lastCode();
    const guess = async (times: number) => {
      for (let i = 0; i < times; i++) await submit(sid, `guess${i}`);
    };
    await guess(6);
    provider.behave((_request, response) => void response.writeHead(503).end());
    expect(code(await ask(number, 2))).toEqual([400, 'M_SEND_ERROR']);
    await guess(4);
    expect((await submit(sid, right)).json.errcode).toBe('M_SESSION_EXPIRED');
    expect(code(await ask(number, 2))).toEqual([400, 'M_SEND_ERROR']);
    provider.behave(undefined);
    expect((await submit(sid, right)).json.errcode).toBe('M_SESSION_EXPIRED');
    await ask(number, 2);
    expect((await submit(sid, provider.lastCode())).json).toEqual({ success: true });
  });

  test('are limited one by one: retries do not count, and the code sent stays good', async () => {
    const number = newNumber();
    const { sid } = (await ask(number, 1)).json;
    for (let attempt = 2; attempt <= 5; attempt++) {
      expect((await ask(number, attempt)).status).toBe(200);
      expect((await ask(number, attempt)).status).toBe(200);
    }
    const before = provider.posts.length;
    const limited = await ask(number, 6);
    expect(limited.status).toBe(429);
    expect(limited.json.errcode).toBe('M_LIMIT_EXCEEDED');
    // On PostgreSQL limits go by the database's time, which passes meanwhile.
    const passed = HOUR - limited.json.retry_after_ms;
    expect(passed).toBeGreaterThanOrEqual(0);
    expect(passed).toBeLessThan(engine === 'sqlite' ? 1 : 60_000);
    const seconds = Math.ceil(limited.json.retry_after_ms / 1000);
    expect(limited.headers.get('retry-after')).toBe(String(seconds));
    expect(code(await ask(number, 1, { client_secret: 'other' }))).toEqual([
      429,
      'M_LIMIT_EXCEEDED',
    ]);
    expect(provider.posts).toHaveLength(before);
    const sessions = await server.database.execute(
      'select address from threepid_validation_sessions where address = ?',
      [`44${number.slice(1).replace(' ', '')}`],
    );
    expect(sessions).toHaveLength(1);
    expect((await ask(number, 5)).json.sid).toBe(sid);
    expect((await submit(sid, provider.lastCode())).json).toEqual({ success: true });
    expect((await ask(newNumber(), 1)).status).toBe(200);
    if (engine === 'postgres') return;
    server.clock.advance(HOUR);
    expect((await ask(number, 6)).status).toBe(200);
    expect((await ask(number, 7)).status).toBe(429);
  });

  test('appear in no log, nor do their codes', async () => {
    const number = newNumber();
    await ask(number, 1);
    const sent = provider.lastCode();
    const logs = server.logs.join('');
    expect(sent).toMatch(/^\d{6}$/);
    expect(logs).not.toMatch(new RegExp(`\\b${sent}\\b`));
    expect(logs).not.toContain('om-hush');
    expect(logs).toContain('03155-0331L-1439U-51SLFX');
    const metrics = await (await fetch(`${server.metricsUrl}/metrics`)).text();
    expect(metrics).toMatch(/cognomen_sms_total\{provider="openmarket",outcome="sent"\} \d+/);
    expect(metrics).toContain('servlet="MsisdnRequestCodeServlet"');
  });
});

test.each([
  ['twilio', startTwilio],
  ['webhook', startWebhook],
])('%s carries codes too, and a calling code is limited', async (_name, start) => {
  const provider = await start();
  const server = await startTestServer({
    sections: {
      sms: `${provider.config}\ncountry.ratelimit.burst = 2\ncountry.ratelimit.rate_hz = 1/60`,
    },
  });
  try {
    const v1 = `${server.url}/_matrix/identity/api/v1`;
    const ask = (number: string) =>
      postJson(`${v1}/validate/msisdn/requestToken`, {
        phone_number: number,
        country: 'GB',
        client_secret: 'secret',
        send_attempt: 1,
      });
    const { sid } = (await ask('07700 900750')).json;
    const submitted = await postJson(`${v1}/validate/msisdn/submitToken`, {
      sid,
      client_secret: 'secret',
      token: provider.lastCode(),
    });
    expect(submitted.json).toEqual({ success: true });
    expect((await ask('07700 900751')).status).toBe(200);
    const limited = await ask('07700 900752');
    expect(code(limited)).toEqual([429, 'M_LIMIT_EXCEEDED']);
    expect(limited.json.retry_after_ms).toBe(MINUTE);
    expect((await ask('+1 650 253 0000')).json.errcode).not.toBe('M_LIMIT_EXCEEDED');
    expect(provider.messages.map(({ to }) => to.replace('+', ''))).not.toContain('447700900752');
    server.clock.advance(MINUTE);
    expect((await ask('07700 900752')).status).toBe(200);
  } finally {
    await server.stop();
    await provider.close();
  }
});

test('without an account at a provider a request says that nothing can be sent', async () => {
  const server = await startTestServer();
  try {
    const answer = await postJson(
      `${server.url}/_matrix/identity/api/v1/validate/msisdn/requestToken`,
      { phone_number: '07700 900750', country: 'GB', client_secret: 'a', send_attempt: 1 },
    );
    expect(code(answer)).toEqual([400, 'M_SEND_ERROR']);
    expect(server.logs.join('')).toContain('[sms] username is empty');
  } finally {
    await server.stop();
  }
});
