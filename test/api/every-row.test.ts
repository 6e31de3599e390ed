import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { secureRandom } from '../../src/platform/random.ts';
import { ENGINES } from '../support/databases.ts';
import { get, postJson, request, type TestAnswer } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { startOpenMarket, type TestProvider } from '../support/sms.ts';

const DAY = 24 * 60 * 60 * 1000;
const USER = '@ada:sample.test';
const code = ({ status, json }: TestAnswer) => [status, json?.errcode];

describe.each(ENGINES)('on %s', (engine) => {
  let provider: TestProvider;
  let server: TestServer;
  let token: string;
  let number = 0;

  beforeAll(async () => {
    provider = await startOpenMarket();
    server = await startTestServer({
      engine,
      sections: {
        general: 'lookup.client_ratelimit.burst = 20\nlookup.client_ratelimit.rate_hz = 0.001',
        email: 'email.ratelimit_sender.burst = 20',
        http: 'obey_x_forwarded_for = true',
        sms: `${provider.config}\nsmsrule.33 = reject\nmsisdn.ratelimit.burst = 2`,
      },
      smtp: {
        onRcptTo: ({ address }, _session, done) =>
          done(address.startsWith('refused') ? new Error('Not here') : null),
      },
    });
    token = await server.token(USER);
  });
  afterAll(async () => {
    await server.stop();
    await provider.close();
  });

  test('an address is as long as the database can hold, or refused', async () => {
    const internal = `${server.internalUrl}/_matrix/identity/internal`;
    const bind = (address: string) =>
      postJson(`${internal}/bind`, { medium: 'email', address, mxid: USER });
    // So random that no compression makes them fit; the second is longer when folded.
    const text = secureRandom.alphanumeric(5000);
    const greek = [...secureRandom.alphanumeric(480)].map((letter) => `${letter}\u0390`).join('');
    expect((await bind(`${text.slice(0, 1900)}@sample.test`)).status).toBe(200);
    for (const long of [text, greek]) {
      expect(code(await bind(`${long}@sample.test`))).toEqual([400, 'M_INVALID_PARAM']);
      const content = { medium: 'email', address: `${long}@sample.test`, mxid: USER };
      expect((await postJson(`${internal}/unbind`, content)).status).toBeLessThan(500);
    }
  });

  describe.each(['v1', 'v2'])('%s', (version) => {
    const root = () => `${server.url}/_matrix/identity/${version === 'v1' ? 'api/v1' : 'v2'}`;
    const by = () => (version === 'v1' ? undefined : token);
    const post = (path: string, body: object, as = by()) => postJson(root() + path, body, as);
    const ask = (path: string, query: Record<string, string>) => get(root() + path, query, by());
    const open = (path: string, query: Record<string, string>) =>
      request(`${root()}${path}?${new URLSearchParams(query)}`);
    const email = (more: object = {}) =>
      post('/validate/email/requestToken', {
        email: `ada${++number}@sample.test`,
        client_secret: 'secret',
        send_attempt: '1',
        ...more,
      });
    const phone = (more: object = {}) =>
      post('/validate/msisdn/requestToken', {
        phone_number: `07700 ${900_100 + ++number}`,
        country: 'GB',
        client_secret: 'secret',
        send_attempt: 1,
        ...more,
      });
    const mailedToken = async () =>
      /token=([A-Za-z0-9]{32})/.exec((await server.smtp.nextMail()).parsed.text ?? '')?.[1] ?? '';

    /** Asks for a token as one does for that medium, and takes it. */
    const start = async (medium: string, more: object = {}) => {
      const { json } = await (medium === 'email' ? email(more) : phone(more));
      const right = medium === 'email' ? await mailedToken() : provider.lastCode();
      return { session: { sid: json.sid as string, client_secret: 'secret' }, right };
    };

    beforeAll(() => {
      // Nobody is at a limit.
      server.clock.advance(30 * DAY);
    });

    test('the API’s root, the versions, and the long-term key', async () => {
      expect((await get(root())).json).toEqual({});
      const versions = await get(`${server.url}/_matrix/identity/versions`);
      expect(versions.json.versions).toContain('v1.19');
      const { public_key } = (await get(`${root()}/pubkey/ed25519:0`)).json;
      expect(public_key).toMatch(/^[A-Za-z0-9+/]{43}$/);
      expect(code(await get(`${root()}/pubkey/ed25519:9`))).toEqual([404, 'M_NOT_FOUND']);
      expect(code(await get(`${root()}/pubkey/%ff`))).toEqual([400, 'M_INVALID_PARAM']);
      const isValid = (key: string) => get(`${root()}/pubkey/isvalid`, { public_key: key });
      expect((await isValid(public_key)).json).toEqual({ valid: true });
      expect((await isValid('x')).json).toEqual({ valid: false });
    });

    test('asking for a mail', async () => {
      const { json } = await email();
      expect(json).toEqual({
        sid: expect.stringMatching(/^\d+$/),
        ...(version === 'v1' ? { success: true } : {}),
      });
      await mailedToken();
      const refusals = await Promise.all([
        email({ email: 'not an address' }),
        email({ email: `${'a'.repeat(500)}@sample.test` }),
        email({ email: '' }),
        email({ email: 'refused@sample.test' }),
        email({ next_link: 5 }),
      ]);
      expect(refusals.map(code)).toEqual([
        [400, 'M_INVALID_EMAIL'],
        [400, 'M_INVALID_PARAM'],
        [400, 'M_INVALID_PARAM'],
        [400, 'M_EMAIL_SEND_ERROR'],
        [400, 'M_INVALID_PARAM'],
      ]);
    });

    test('asking for a text message', async () => {
      // One for each version: on PostgreSQL limits go by the database's time, which no test moves on.
      const last = version === 'v1' ? '50' : '51';
      const { json } = await phone({ phone_number: `07700 9007${last}` });
      expect(json).toEqual({
        success: true,
        sid: expect.stringMatching(/^\d+$/),
        msisdn: `4477009007${last}`,
        intl_fmt: `+44 7700 9007${last}`,
      });
      const none = version === 'v1' ? 'M_INVALID_PHONE_NUMBER' : 'M_INVALID_ADDRESS';
      expect(code(await phone({ phone_number: 'none' }))).toEqual([400, none]);
      const rejected = await phone({ phone_number: '06 12 34 56 78', country: 'FR' });
      expect(code(rejected)).toEqual([400, 'M_DESTINATION_REJECTED']);
      provider.behave((_request, response) => response.writeHead(500).end());
      expect(code(await phone())).toEqual([400, 'M_SEND_ERROR']);
      provider.behave(undefined);
      const again = (attempt: number) =>
        phone({ phone_number: `07700 9007${last}`, send_attempt: attempt });
      expect((await again(2)).status).toBe(200);
      const limited = await again(3);
      expect(code(limited)).toEqual([429, 'M_LIMIT_EXCEEDED']);
      expect(limited.json.retry_after_ms).toBeGreaterThan(0);
    });

    describe.each(['email', 'msisdn'])('a session of medium %s', (medium) => {
      const submitPath = `/validate/${medium}/submitToken`;
      const failed = version === 'v1' ? 200 : 400;
      beforeAll(() => {
        server.clock.advance(DAY);
      });

      test('is proven by its token and bound to a user', async () => {
        const { session, right } = await start(medium);
        const submit = (body: object) => post(submitPath, { ...session, token: right, ...body });
        const wrong = await submit({ token: 'wrong' });
        expect(code(wrong)).toEqual([failed, 'M_TOKEN_INCORRECT']);
        expect(wrong.json.success).toBe(false);
        expect(code(await submit({ sid: '1' }))).toEqual([failed, 'M_NO_VALID_SESSION']);
        expect(code(await submit({ client_secret: 'x' }))).toEqual([failed, 'M_NO_VALID_SESSION']);

        const validated = (more: object = {}) =>
          ask('/3pid/getValidated3pid', { ...session, ...more });
        const bind = (more: object = {}) => post('/3pid/bind', { ...session, mxid: USER, ...more });
        for (const early of [validated, bind]) {
          expect(code(await early())).toEqual([400, 'M_SESSION_NOT_VALIDATED']);
          expect(code(await early({ sid: '1' }))).toEqual([404, 'M_NO_VALID_SESSION']);
          expect(code(await early({ client_secret: 'x' }))).toEqual([404, 'M_NO_VALID_SESSION']);
        }
        expect((await submit({})).json).toEqual({ success: true });
        const { json } = await validated();
        expect(json).toEqual({
          medium,
          address: expect.any(String),
          validated_at: server.clock.now(),
        });
        if (version === 'v2') {
          const other = await bind({ mxid: '@grace:sample.test' });
          expect(code(other)).toEqual([403, 'M_UNAUTHORIZED']);
        }
        const bound = (await bind()).json;
        const { address } = json;
        expect(bound).toMatchObject({ medium, address, mxid: USER, ts: server.clock.now() });
        expect(bound.not_after).toBe(bound.ts + 100 * 365 * DAY);
        expect(Object.keys(bound.signatures['id.test'])).toEqual(['ed25519:0']);

        server.clock.advance(DAY);
        expect(code(await validated())).toEqual([400, 'M_SESSION_EXPIRED']);
        expect(code(await bind())).toEqual([400, 'M_SESSION_EXPIRED']);
      });

      test('that is too old is proven no more', async () => {
        const { session, right } = await start(medium);
        server.clock.advance(DAY);
        const late = await post(submitPath, { ...session, token: right });
        expect(code(late)).toEqual([failed, 'M_SESSION_EXPIRED']);
        expect((await open(submitPath, { ...session, token: right })).status).toBe(400);
      });

      test('is proven on the page, which leads on where the link says', async () => {
        const { session, right } = await start(medium);
        const page = (more: object = {}) =>
          open(submitPath, { ...session, token: right, nextLink: 'https://evil.test/', ...more });
        expect((await page({ token: 'wrong' })).status).toBe(400);
        expect((await page({ sid: '1' })).status).toBe(404);
        expect((await page({ client_secret: 'x' })).status).toBe(404);
        const head = await request(
          `${root()}${submitPath}?${new URLSearchParams({ ...session, token: right })}`,
          { method: 'HEAD' },
        );
        expect(head.status).toBe(200);
        expect((await ask('/3pid/getValidated3pid', session)).status).toBe(400);
        const shown = await page();
        expect(shown.status).toBe(200);
        expect(shown.headers.get('content-type')).toContain('text/html');
        expect((await ask('/3pid/getValidated3pid', session)).status).toBe(200);

        const linked = await start(medium, { next_link: 'https://app.test/#/done' });
        const led = await open(submitPath, { ...linked.session, token: linked.right });
        expect(led.status).toBe(302);
        expect(led.headers.get('location')).toBe(
          `https://app.test/#/done?sid=${linked.session.sid}`,
        );
      });
    });

    test('looking up has its limits', async () => {
      const headers = {
        'content-type': 'application/json',
        'x-forwarded-for': version === 'v1' ? '192.0.2.1' : '192.0.2.2',
        ...(version === 'v1' ? {} : { authorization: `Bearer ${token}` }),
      };
      const { lookup_pepper: pepper } = (
        await get(`${server.url}/_matrix/identity/v2/hash_details`, {}, token)
      ).json;
      const lookup = (addresses: readonly string[]) =>
        version === 'v1'
          ? send('/bulk_lookup', { threepids: addresses.map((address) => ['email', address]) })
          : send('/lookup', { algorithm: 'sha256', pepper, addresses });
      const send = (path: string, body: object) =>
        request(`${root()}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
      const many = (count: number) => Array.from({ length: count }, (_, i) => `${i}@b.test`);

      expect(code(await lookup(many(10_001)))).toEqual([400, 'M_TOO_LARGE']);
      expect((await lookup([...many(20), ...many(20)])).status).toBe(200);
      expect(code(await lookup(['a@b.test']))).toEqual([429, 'M_LIMIT_EXCEEDED']);
      if (version === 'v2') return;
      const one = `${root()}/lookup?medium=email&address=a@b.test`;
      expect(code(await request(one, { headers }))).toEqual([429, 'M_LIMIT_EXCEEDED']);
    });

    test('mails are limited, and what is wrong causes none', async () => {
      for (let i = 0; i < 21; i++) {
        expect(code(await email({ email: 1 }))).toEqual([400, 'M_INVALID_PARAM']);
      }
      const answers: TestAnswer[] = [];
      for (let i = 0; i < 21; i++) {
        const answer = await email();
        answers.push(answer);
        if (answer.status === 200) await mailedToken();
      }
      const last = answers.at(-1);
      expect(last && code(last)).toEqual([429, 'M_LIMIT_EXCEEDED']);
      expect(last?.json.retry_after_ms).toBeGreaterThan(0);
      expect(Number(last?.headers.get('retry-after'))).toBeGreaterThan(0);
    });
  });
});
