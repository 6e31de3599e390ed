import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeBase64 } from '../../src/signing/base64.ts';
import { verifySignedJson } from '../../src/signing/signed-json.ts';
import { ENGINES } from '../support/databases.ts';
import { get, postForm, postJson, request } from '../support/http.ts';
import { PUBLIC_KEY, SERVER_NAME, startTestServer, type TestServer } from '../support/server.ts';

const publicKey = decodeBase64(PUBLIC_KEY) ?? new Uint8Array();

describe.each(ENGINES)('the main job on %s', (engine) => {
  let server: TestServer;
  const v1 = () => `${server.url}/_matrix/identity/api/v1`;

  beforeAll(async () => {
    server = await startTestServer({ engine });
  });
  afterAll(() => server.stop());

  const mailedToken = async () => {
    const mail = await server.smtp.nextMail();
    const link = new URL(/https:\/\/\S+submitToken\S+/.exec(mail.parsed.text ?? '')?.[0] ?? '');
    return { mail, link, token: link.searchParams.get('token') ?? '' };
  };

  test('an address is validated, bound and looked up, by JSON', async () => {
    const requested = await postJson(`${v1()}/validate/email/requestToken`, {
      email: 'Ada@Sample.test',
      client_secret: 'abcd',
      send_attempt: 1,
    });
    expect(requested.status).toBe(200);
    expect(requested.json).toEqual({ success: true, sid: expect.stringMatching(/^\d+$/) });
    const { sid } = requested.json;

    const { mail, link, token } = await mailedToken();
    expect(mail.to).toEqual(['Ada@Sample.test']);
    expect(mail.from).toBe('noreply@id.test');
    expect(link.origin + link.pathname).toBe(
      'https://id.test/_matrix/identity/api/v1/validate/email/submitToken',
    );
    expect(link.searchParams.get('sid')).toBe(sid);
    expect(token).toMatch(/^[A-Za-z0-9]{32}$/);

    const early = await get(`${v1()}/3pid/getValidated3pid`, { sid, client_secret: 'abcd' });
    expect(early.status).toBe(400);
    expect(early.json.errcode).toBe('M_SESSION_NOT_VALIDATED');

    const submitted = await postJson(`${v1()}/validate/email/submitToken`, {
      token,
      sid,
      client_secret: 'abcd',
    });
    expect(submitted.json).toEqual({ success: true });

    const validated = await get(`${v1()}/3pid/getValidated3pid`, { sid, client_secret: 'abcd' });
    expect(validated.json).toEqual({
      medium: 'email',
      address: 'ada@sample.test',
      validated_at: server.clock.now(),
    });

    const bound = await postJson(`${v1()}/3pid/bind`, {
      sid,
      client_secret: 'abcd',
      mxid: '@ada:sample.test',
    });
    expect(bound.status).toBe(200);
    const now = server.clock.now();
    expect(bound.json).toMatchObject({
      medium: 'email',
      address: 'ada@sample.test',
      mxid: '@ada:sample.test',
      ts: now,
      not_before: now,
      not_after: now + 100 * 365 * 24 * 3600 * 1000,
    });
    expect(verifySignedJson(bound.json, SERVER_NAME, 'ed25519:0', publicKey)).toBe(true);

    const found = await get(`${v1()}/lookup`, { medium: 'email', address: 'ADA@sample.test' });
    expect(found.json).toEqual(bound.json);
    const key = await get(`${v1()}/pubkey/ed25519:0`);
    expect(key.json).toEqual({ public_key: PUBLIC_KEY });
  });

  test('the same by forms and query strings', async () => {
    const requested = await postForm(`${v1()}/validate/email/requestToken`, {
      email: 'grace@sample.test',
      client_secret: 's.e=c_r-et',
      send_attempt: '1',
    });
    const { sid } = requested.json;
    const { token } = await mailedToken();
    const query = new URLSearchParams({ token, sid, client_secret: 's.e=c_r-et' });
    const submitted = await request(`${v1()}/validate/email/submitToken?${query}`, {
      method: 'POST',
    });
    expect(submitted.json).toEqual({ success: true });
    const bound = await postForm(
      `${v1()}/3pid/bind?mxid=${encodeURIComponent('@grace:sample.test')}`,
      {
        sid,
        client_secret: 's.e=c_r-et',
      },
    );
    expect(bound.json.mxid).toBe('@grace:sample.test');
    const many = await postJson(`${v1()}/bulk_lookup/`, {
      threepids: [
        ['email', 'GRACE@sample.test'],
        ['email', 'nobody@sample.test'],
        ['msisdn', 'grace@sample.test'],
      ],
    });
    expect(many.json).toEqual({
      threepids: [['email', 'grace@sample.test', '@grace:sample.test']],
    });
  });

  test('the mailed link validates in a browser and leads on', async () => {
    const requested = await postJson(`${v1()}/validate/email/requestToken?brand=vector-im`, {
      email: 'alan@sample.test',
      client_secret: 'alan',
      send_attempt: 1,
      next_link: 'https://app.test/#/done?x=1',
    });
    const { sid } = requested.json;
    const { link } = await mailedToken();
    expect(link.searchParams.get('brand')).toBe('vector-im');
    expect(link.searchParams.has('nextLink')).toBe(false);
    const url = `${server.url}${link.pathname}${link.search}`;

    const head = await request(url, { method: 'HEAD' });
    expect(head.status).toBe(200);
    const untouched = await get(`${v1()}/3pid/getValidated3pid`, { sid, client_secret: 'alan' });
    expect(untouched.json.errcode).toBe('M_SESSION_NOT_VALIDATED');

    const opened = await request(`${url}&nextLink=https://evil.test/`);
    expect(opened.status).toBe(302);
    expect(opened.headers.get('location')).toBe(`https://app.test/#/done?x=1&sid=${sid}`);

    const wrong = await request(url.replace(/token=[^&]+/, 'token=wrong'));
    expect(wrong.status).toBe(400);
    expect(wrong.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(wrong.headers.get('referrer-policy')).toBe('no-referrer');
    expect(wrong.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-/,
    );
    expect(wrong.headers.get('access-control-allow-origin')).toBe('*');
    expect(wrong.text).toContain('<title>Element');
  });

  test('the internal API binds and unbinds without validation', async () => {
    const internal = `${server.internalUrl}/_matrix/identity/internal`;
    const bound = await postJson(`${internal}/bind`, {
      address: 'Strauß@sample.test',
      medium: 'email',
      mxid: '@richard:sample.test',
    });
    expect(bound.json.address).toBe('strauss@sample.test');
    for (const address of ['strauss@sample.test', 'STRAUSS@sample.test', 'STRAUẞ@SAMPLE.test']) {
      const found = await get(`${v1()}/lookup`, { medium: 'email', address });
      expect(found.json).toEqual(bound.json);
    }
    const other = await postJson(`${internal}/unbind`, {
      address: 'strauss@sample.test',
      medium: 'email',
      mxid: '@johann:sample.test',
    });
    expect(other.json).toEqual({});
    const still = await get(`${v1()}/lookup`, { medium: 'email', address: 'strauss@sample.test' });
    expect(still.json.mxid).toBe('@richard:sample.test');
    await postJson(`${internal}/unbind`, {
      address: 'STRAUSS@sample.test',
      medium: 'email',
      mxid: '@richard:sample.test',
    });
    const gone = await get(`${v1()}/lookup`, { medium: 'email', address: 'strauss@sample.test' });
    expect(gone.status).toBe(200);
    expect(gone.json).toEqual({});

    for (const wrong of [
      { address: 'not an address', medium: 'email', mxid: '@ada:sample.test' },
      { address: '++44', medium: 'msisdn', mxid: '@ada:sample.test' },
      { address: 'x', medium: 'pigeon', mxid: '@ada:sample.test' },
    ]) {
      const refused = await postJson(`${internal}/bind`, wrong);
      expect(refused.status).toBe(400);
      expect(refused.json.errcode).toBe('M_INVALID_PARAM');
    }
  });

  test('a rebound address shows its newest user, even when the clock has stepped back', async () => {
    const internal = `${server.internalUrl}/_matrix/identity/internal`;
    const bind = (mxid: string) =>
      postJson(`${internal}/bind`, { address: 'moving@sample.test', medium: 'email', mxid });
    const first = await bind('@zoe:sample.test');
    server.clock.advance(-3600_000);
    const second = await bind('@anna:sample.test');
    expect(second.json.ts).toBe(first.json.ts + 1);
    const found = await get(`${v1()}/lookup`, { medium: 'email', address: 'moving@sample.test' });
    expect(found.json).toEqual(second.json);
    server.clock.advance(3600_000);
    const many = await postJson(`${v1()}/bulk_lookup`, {
      threepids: [['email', 'Moving@sample.test']],
    });
    expect(many.json.threepids).toEqual([['email', 'moving@sample.test', '@anna:sample.test']]);
  });

  test('what was bound is there after a restart', async () => {
    await server.restart();
    const found = await get(`${v1()}/lookup`, { medium: 'email', address: 'ada@sample.test' });
    expect(found.json.mxid).toBe('@ada:sample.test');
    expect((await get(`${server.url}/health`)).json).toEqual({ status: 'ok' });
    for (const url of [server.url, server.metricsUrl]) {
      expect((await get(`${url}/ready`)).json).toEqual({ status: 'ok' });
      expect((await fetch(`${url}/ready`, { method: 'POST' })).status).toBe(405);
    }
    const again = { medium: 'email', address: 'counted@sample.test', mxid: '@eve:sample.test' };
    for (const change of ['bind', 'unbind', 'unbind']) {
      await postJson(`${server.internalUrl}/_matrix/identity/internal/${change}`, again);
    }
    const metrics = await get(`${server.metricsUrl}/metrics`);
    expect(metrics.text).toMatch(
      /^cognomen_associations_total\{medium="email",change="bound"\} 1$/m,
    );
    // What was not bound is not unbound.
    expect(metrics.text).toMatch(
      /^cognomen_associations_total\{medium="email",change="unbound"\} 1$/m,
    );
    expect(metrics.text).toMatch(
      /^sydent_http_received_requests_total\{servlet="LookupServlet",method="GET"\} 1$/m,
    );
    expect(metrics.text).toMatch(/^sydent_emails_sent_total 0$/m);
  });
});
