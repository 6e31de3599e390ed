import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import { get, postJson, request, type TestAnswer } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const code = ({ status, json }: TestAnswer) => [status, json.errcode];

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe.each(ENGINES)('validation sessions on %s', (engine) => {
  let server: TestServer;
  let address: string;
  let number = 0;
  const v1 = () => `${server.url}/_matrix/identity/api/v1`;

  beforeAll(async () => {
    server = await startTestServer({ engine });
  });
  // Each test has an address of its own, so that one server does for all.
  beforeEach(() => {
    address = `ada${++number}@sample.test`;
  });
  afterAll(() => server.stop());

  const ask = (attempt: unknown, more: Record<string, unknown> = {}) =>
    postJson(`${v1()}/validate/email/requestToken`, {
      email: address,
      client_secret: 'secret',
      send_attempt: attempt,
      ...more,
    });
  const submit = (sid: string, token: string, secret = 'secret') =>
    postJson(`${v1()}/validate/email/submitToken`, { sid, token, client_secret: secret });
  const validated = (sid: string) =>
    get(`${v1()}/3pid/getValidated3pid`, { sid, client_secret: 'secret' });
  const bind = (sid: string) =>
    postJson(`${v1()}/3pid/bind`, { sid, client_secret: 'secret', mxid: '@ada:sample.test' });
  const mails = () => server.smtp.mails.filter(({ to }) => to[0] === address);
  const nextMail = async () => {
    for (;;) {
      const mail = await server.smtp.nextMail();
      if (mail.to[0] === address) return mail;
    }
  };
  const mailedToken = async () => {
    const mail = await nextMail();
    return /token=([A-Za-z0-9]{32})/.exec(mail.parsed.text ?? '')?.[1] ?? '';
  };
  test('a message goes out only for a greater send_attempt', async () => {
    const { sid } = (await ask(0)).json;
    await nextMail();
    for (const attempt of [0, '0', -1]) expect((await ask(attempt)).json.sid).toBe(sid);
    expect(mails()).toHaveLength(1);
    expect((await ask('1')).json.sid).toBe(sid);
    expect((await ask(5)).json.sid).toBe(sid);
    expect((await ask(3)).json.sid).toBe(sid);
    expect(mails()).toHaveLength(3);
    for (const wrong of ['x', 1.5, true, {}, '', [1]]) {
      expect(code(await ask(wrong))).toEqual([400, 'M_INVALID_PARAM']);
    }
  });

  test('one of many requests at once sends, and all get the same session', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(1)));
    expect(new Set(answers.map((answer) => answer.json.sid)).size).toBe(1);
    expect(mails()).toHaveLength(1);
  });

  test('sessions are apart by address, and secret, but not by letter case', async () => {
    const { sid } = (await ask(1)).json;
    expect((await ask(1, { email: address.toUpperCase() })).json.sid).toBe(sid);
    expect((await ask(1, { client_secret: 'other' })).json.sid).not.toBe(sid);
    expect((await ask(1, { email: `grace.${address}` })).json.sid).not.toBe(sid);
  });

  test('an attempt whose sending failed does not count', async () => {
    server.smtp.refuse(550);
    expect(code(await ask(1))).toEqual([400, 'M_EMAIL_SEND_ERROR']);
    server.smtp.refuse(undefined);
    const { sid } = (await ask(1)).json;
    expect((await submit(sid, await mailedToken())).json).toEqual({ success: true });
  });

  test('codes of earlier mails stay valid', async () => {
    const { sid } = (await ask(1)).json;
    const first = await mailedToken();
    await ask(2);
    const second = await mailedToken();
    expect(second).not.toBe(first);
    expect((await submit(sid, first)).json).toEqual({ success: true });
    expect((await submit(sid, second)).json).toEqual({ success: true });
  });

  test('a wrong token, session and secret each have their answer', async () => {
    const { sid } = (await ask(1)).json;
    const token = await mailedToken();
    const answer = async (...args: Parameters<typeof submit>) => {
      const { status, json } = await submit(...args);
      expect(json.error).toEqual(expect.any(String));
      return [status, json.success, json.errcode];
    };
    expect(await answer(sid, 'wrong')).toEqual([200, false, 'M_TOKEN_INCORRECT']);
    expect(await answer('123', token)).toEqual([200, false, 'M_NO_VALID_SESSION']);
    expect(await answer(sid, token, 'other')).toEqual([200, false, 'M_NO_VALID_SESSION']);
    const [unknown, wrongSecret] = [
      await get(`${v1()}/3pid/getValidated3pid`, { sid: '123', client_secret: 'secret' }),
      await get(`${v1()}/3pid/getValidated3pid`, { sid, client_secret: 'other' }),
    ];
    expect(code(unknown)).toEqual([404, 'M_NO_VALID_SESSION']);
    expect(wrongSecret.text).toBe(unknown.text);
    expect(code(await bind('123'))).toEqual([404, 'M_NO_VALID_SESSION']);
    expect(code(await bind(sid))).toEqual([400, 'M_SESSION_NOT_VALIDATED']);
  });

  test('after ten wrong guesses the codes are dead, until a new one is sent', async () => {
    const { sid } = (await ask(1)).json;
    const first = await mailedToken();
    const guesses = await Promise.all(
      Array.from({ length: 30 }, (_, i) => submit(sid, `guess${i}`)),
    );
    const codes = guesses.map((guess) => guess.json.errcode);
    expect(codes.filter((errcode) => errcode === 'M_TOKEN_INCORRECT')).toHaveLength(10);
    expect(codes.filter((errcode) => errcode === 'M_SESSION_EXPIRED')).toHaveLength(20);
    expect((await submit(sid, first)).json.errcode).toBe('M_SESSION_EXPIRED');
    await ask(2);
    const second = await mailedToken();
    expect((await submit(sid, first)).json.errcode).toBe('M_TOKEN_INCORRECT');
    expect((await submit(sid, second)).json).toEqual({ success: true });
  });

  test('a session lasts 24 hours from its creation, then from its validation', async () => {
    const { sid } = (await ask(1)).json;
    const token = await mailedToken();
    server.clock.advance(24 * HOUR - 1);
    expect((await submit(sid, token)).json).toEqual({ success: true });
    const validatedAt = server.clock.now();
    server.clock.advance(24 * HOUR - 1);
    expect((await validated(sid)).json.validated_at).toBe(validatedAt);
    expect((await bind(sid)).status).toBe(200);
    server.clock.advance(1);
    expect(code(await validated(sid))).toEqual([400, 'M_SESSION_EXPIRED']);
    expect(code(await bind(sid))).toEqual([400, 'M_SESSION_EXPIRED']);
    expect((await submit(sid, token)).json.errcode).toBe('M_SESSION_EXPIRED');
  });

  test('a retry leaves a validated session as it is; a greater attempt starts over', async () => {
    const { sid } = (await ask(1)).json;
    const token = await mailedToken();
    await submit(sid, token);
    const before = (await validated(sid)).json;
    server.clock.advance(MINUTE);
    expect((await ask(1)).json.sid).toBe(sid);
    expect((await submit(sid, token)).json).toEqual({ success: true });
    expect((await validated(sid)).json).toEqual(before);
    expect(mails()).toHaveLength(1);

    const { sid: next } = (await ask(2)).json;
    expect(next).not.toBe(sid);
    expect(code(await validated(next))).toEqual([400, 'M_SESSION_NOT_VALIDATED']);
    expect((await submit(next, token)).json.errcode).toBe('M_TOKEN_INCORRECT');
    expect((await submit(next, await mailedToken())).json).toEqual({ success: true });
  });

  test('any request on an expired session starts over', async () => {
    const { sid } = (await ask(1)).json;
    server.clock.advance(24 * HOUR);
    const { sid: next } = (await ask(1)).json;
    expect(next).not.toBe(sid);
    expect(mails()).toHaveLength(2);
  });

  test('sessions five days old are deleted', async () => {
    const { sid } = (await ask(1)).json;
    server.clock.advance(5 * 24 * HOUR);
    await server.restart();
    expect(code(await validated(sid))).toEqual([400, 'M_SESSION_EXPIRED']);
    server.clock.advance(1);
    await server.restart();
    await expect.poll(async () => code(await validated(sid))).toEqual([404, 'M_NO_VALID_SESSION']);
  });

  test('sessions and codes survive a restart', async () => {
    const { sid } = (await ask(1)).json;
    const token = await mailedToken();
    await server.restart();
    expect((await ask(1)).json.sid).toBe(sid);
    expect((await submit(sid, token)).json).toEqual({ success: true });
    expect(mails()).toHaveLength(1);
  });

  test.each([
    ['https://a.test/x', '?'],
    ['http://a.test/x?y=1#z', '&'],
    ['https://a.test/#/ü?q', '&'],
    ['https://a.test/#frag', '?'],
    ['https://a.test/a b/#c d e', '?'],
    ['https://a.test/\u00a0\u2028', '?'],
  ])('next_link %s gets its sid at the very end', async (link, mark) => {
    const { sid } = (await ask(1, { next_link: link })).json;
    const token = await mailedToken();
    const query = new URLSearchParams({ sid, token, client_secret: 'secret' });
    const answer = await request(`${v1()}/validate/email/submitToken?${query}`);
    const location = decodeURI(answer.headers.get('location') ?? '');
    expect([answer.status, location]).toEqual([302, `${link}${mark}sid=${sid}`]);
  });

  test.each([
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'element://done',
    '//evil.test',
    '/relative',
    'https:evil.test',
    'https://evil\\@a.test/',
    'https://a.test/\r\nSet-Cookie: x',
    'https://',
    'https:// a.test/',
    ' https://a.test/',
    `${'a'.repeat(1000)}:x`,
    `https://a.test/${'x'.repeat(3000)}`,
  ])('next_link %.40j is left out, and the mail goes out all the same', async (link) => {
    const seen = server.logs.length;
    const answer = await ask(1, { next_link: link });
    expect(answer.status).toBe(200);
    const { sid } = answer.json;
    const token = await mailedToken();
    expect(mails()).toHaveLength(1);
    const query = new URLSearchParams({ sid, token, client_secret: 'secret' });
    const opened = await request(`${v1()}/validate/email/submitToken?${query}`);
    expect([opened.status, opened.headers.get('location')]).toEqual([200, null]);
    const logged = server.logs.slice(seen).join('');
    expect(logged).toContain('A next_link was left out');
    expect(logged).not.toMatch(/evil|alert|passwd|a\.test|Cookie/);
  });

  test('addresses are checked before anything is sent', async () => {
    const sent = server.smtp.mails.length;
    for (const email of ['notanemail', 'a b@c', 'a@b, c@d', 'a@b\r\nTo: c@d']) {
      expect(code(await ask(1, { email }))).toEqual([400, 'M_INVALID_EMAIL']);
    }
    expect(code(await ask(1, { email: '' }))).toEqual([400, 'M_INVALID_PARAM']);
    expect(code(await ask(1, { email: `${'x'.repeat(500)}@a` }))).toEqual([400, 'M_INVALID_PARAM']);
    expect(server.smtp.mails).toHaveLength(sent);
  });
});

test.each([
  ['element', 'element://done'],
  ['element', 'ELEMENT://done with/a space'],
  ['x.a-name.as-long-as-few-schemes-are', 'x.a-name.as-long-as-few-schemes-are://done'],
])('the scheme %s, which the configuration lists, is redirected to', async (scheme, link) => {
  const server = await startTestServer({ sections: { http: `next_link.schemes = ${scheme}` } });
  try {
    const url = `${server.url}/_matrix/identity/api/v1/validate/email`;
    const { sid } = (
      await postJson(`${url}/requestToken`, {
        email: 'ada@sample.test',
        client_secret: 'a',
        send_attempt: 1,
        next_link: link,
      })
    ).json;
    const mail = await server.smtp.nextMail();
    const token = /token=([A-Za-z0-9]{32})/.exec(mail.parsed.text ?? '')?.[1] ?? '';
    const answer = await request(`${url}/submitToken?sid=${sid}&client_secret=a&token=${token}`);
    expect(answer.headers.get('location')).toBe(`${link.replaceAll(' ', '%20')}?sid=${sid}`);
  } finally {
    await server.stop();
  }
});

test('without accounts a client address is limited, by what it asks for rightly', async () => {
  const server = await startTestServer({
    sections: { email: 'email.ratelimit_sender.burst = 2' },
  });
  const v1 = `${server.url}/_matrix/identity/api/v1`;
  const ask = (body: object) => postJson(`${v1}/validate/email/requestToken`, body);
  const mail = (n: number) =>
    ask({ email: `ada${n}@sample.test`, client_secret: 'a', send_attempt: 1 });
  for (let i = 0; i < 3; i++) expect((await ask({})).json.errcode).toBe('M_MISSING_PARAMS');
  for (const n of [1, 2]) expect((await mail(n)).status).toBe(200);
  const refused = await mail(3);
  expect(refused.status).toBe(429);
  expect(refused.json).toMatchObject({ errcode: 'M_LIMIT_EXCEEDED', retry_after_ms: 300_000 });
  expect(refused.headers.get('retry-after')).toBe('300');
  // A retry asks for no mail.
  expect((await mail(1)).status).toBe(200);
  server.clock.advance(300_000);
  expect((await mail(3)).status).toBe(200);
  await server.stop();
});

test('an address gets so many mails, whoever asks; retries do not count', async () => {
  const server = await startTestServer({
    sections: { email: 'email.ratelimit_sender.burst = 1000\nemail.ratelimit_recipient.burst = 3' },
  });
  const v1 = `${server.url}/_matrix/identity/api/v1/validate/email`;
  const ask = (attempt: number, email = 'ada@sample.test', secret = 'a') =>
    postJson(`${v1}/requestToken`, { email, client_secret: secret, send_attempt: attempt });
  const { sid } = (await ask(1)).json;
  const mail = await server.smtp.nextMail();
  const token = /token=([A-Za-z0-9]{32})/.exec(mail.parsed.text ?? '')?.[1];
  await ask(2, 'Ada@Sample.test');
  await ask(1, 'ada@sample.test', 'b');
  const refused = await ask(3);
  expect(refused.status).toBe(429);
  expect(refused.json).toMatchObject({ errcode: 'M_LIMIT_EXCEEDED', retry_after_ms: 300_000 });
  expect(refused.headers.get('retry-after')).toBe('300');
  expect((await ask(1, 'ADA@SAMPLE.TEST', 'c')).status).toBe(429);
  const invite = await postJson(`${server.url}/_matrix/identity/api/v1/store-invite`, {
    medium: 'email',
    address: 'Ada@sample.test',
    room_id: '!tea:sample.test',
    sender: '@grace:sample.test',
  });
  expect(code(invite)).toEqual([429, 'M_LIMIT_EXCEEDED']);
  expect((await ask(2)).json.sid).toBe(sid);
  expect((await ask(1, 'grace@sample.test')).status).toBe(200);
  const submitted = await postJson(`${v1}/submitToken`, { sid, token, client_secret: 'a' });
  expect(submitted.json).toEqual({ success: true });
  expect(server.smtp.mails).toHaveLength(4);
  server.clock.advance(300_000);
  expect((await ask(3, 'ada@sample.test', 'b')).status).toBe(200);
  await server.stop();
});
