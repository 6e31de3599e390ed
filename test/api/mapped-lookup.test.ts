import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import { get, postJson, request, type TestAnswer } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const code = ({ status, json }: TestAnswer) => [status, json.errcode];

describe.each(ENGINES)('lookups of version 2 on %s', (engine) => {
  let server: TestServer;
  let token: string;
  let pepper: string;
  const v2 = () => `${server.url}/_matrix/identity/v2`;
  const hash = (address: string, medium = 'email') =>
    createHash('sha256').update(`${address} ${medium} ${pepper}`).digest('base64url');
  const lookup = (body: object) => postJson(`${v2()}/lookup`, { pepper, ...body }, token);
  const hashed = (addresses: unknown) => lookup({ algorithm: 'sha256', addresses });
  const plain = (addresses: unknown) => lookup({ algorithm: 'none', addresses });
  const bind = (address: string, mxid: string, medium = 'email') =>
    postJson(`${server.internalUrl}/_matrix/identity/internal/bind`, { address, medium, mxid });

  beforeAll(async () => {
    server = await startTestServer({ engine });
    token = await server.token('@asks:sample.test');
    await bind('Strauß.Ada@Sample.test', '@ada:sample.test');
    await bind('grace@sample.test', '@grace:sample.test');
    await bind('4915123456789', '@phone:sample.test', 'msisdn');
    const details = await get(`${v2()}/hash_details`, {}, token);
    expect(details.json).toEqual({
      algorithms: ['sha256', 'none'],
      lookup_pepper: expect.stringMatching(/^[A-Za-z0-9]{32}$/),
    });
    pepper = details.json.lookup_pepper;
  });
  afterAll(() => server.stop());

  test('find an address by the hash of each spelling that clients send', async () => {
    const asked = [
      hash('strauss.ada@sample.test'),
      hash('strauß.ada@sample.test'),
      hash('Strauß.Ada@Sample.test'),
      hash('grace@sample.test'),
      hash('4915123456789', 'msisdn'),
    ];
    expect((await hashed([...asked, hash('nobody@sample.test'), 'x', ''])).json).toEqual({
      mappings: {
        [asked[0] ?? '']: '@ada:sample.test',
        [asked[1] ?? '']: '@ada:sample.test',
        [asked[2] ?? '']: '@ada:sample.test',
        [asked[3] ?? '']: '@grace:sample.test',
        [asked[4] ?? '']: '@phone:sample.test',
      },
    });
    expect((await hashed([hash('grace@sample.test', 'msisdn')])).json).toEqual({ mappings: {} });
    expect((await hashed([])).json).toEqual({ mappings: {} });
  });

  test('of addresses as they are answer with the keys that were asked', async () => {
    const found = {
      'STRAUSS.ADA@sample.test email': '@ada:sample.test',
      'strauß.ada@sample.test email': '@ada:sample.test',
      'grace@sample.test email': '@grace:sample.test',
      '4915123456789 msisdn': '@phone:sample.test',
    };
    const nothing = ['grace@sample.test', 'grace@sample.test msisdn', ' email', '', '__proto__'];
    expect((await plain([...Object.keys(found), ...nothing])).json).toEqual({ mappings: found });
  });

  test('answer with the newest user of an address that was bound again', async () => {
    await bind('moved@sample.test', '@zoe:sample.test');
    await bind('moved@sample.test', '@abe:sample.test');
    const key = hash('moved@sample.test');
    expect((await hashed([key])).json.mappings).toEqual({ [key]: '@abe:sample.test' });
    expect((await plain(['moved@sample.test email'])).json.mappings).toEqual({
      'moved@sample.test email': '@abe:sample.test',
    });
  });

  test('take ten thousand addresses, and not one more', async () => {
    const many = Array.from({ length: 9_999 }, (_, i) => hash(`${i}@sample.test`));
    const last = hash('grace@sample.test');
    expect((await hashed([...many, last])).json).toEqual({
      mappings: { [last]: '@grace:sample.test' },
    });
    expect(code(await hashed([...many, last, 'x']))).toEqual([400, 'M_TOO_LARGE']);
  });

  test('that are wrong are told what is right', async () => {
    const wrongPepper = await lookup({ algorithm: 'none', addresses: [], pepper: 'old' });
    expect(code(wrongPepper)).toEqual([400, 'M_INVALID_PEPPER']);
    expect(wrongPepper.json).toMatchObject({ algorithm: 'none', lookup_pepper: pepper });
    expect(code(await lookup({ algorithm: 'md5', addresses: [] }))).toEqual([
      400,
      'M_INVALID_PARAM',
    ]);
    for (const wrong of ['x', 1, {}, [1], [null], [['a']]]) {
      expect(code(await hashed(wrong))).toEqual([400, 'M_INVALID_PARAM']);
    }
    expect(code(await lookup({ algorithm: 1, addresses: [] }))).toEqual([400, 'M_INVALID_PARAM']);
    const missing = await postJson(`${v2()}/lookup`, { pepper }, token);
    expect(missing.json).toEqual({
      errcode: 'M_MISSING_PARAMS',
      error: 'Missing parameters: addresses,algorithm',
    });
    expect(code(await postJson(`${v2()}/lookup`, [], token))).toEqual([400, 'M_BAD_JSON']);
  });
});

test('unhashed lookups can be switched off', async () => {
  const server = await startTestServer({ sections: { general: 'lookup.allow_none = false' } });
  const v2 = `${server.url}/_matrix/identity/v2`;
  const token = await server.token('@ada:sample.test');
  const { json } = await get(`${v2}/hash_details`, {}, token);
  expect(json.algorithms).toEqual(['sha256']);
  const body = { algorithm: 'none', addresses: [], pepper: json.lookup_pepper };
  expect(code(await postJson(`${v2}/lookup`, body, token))).toEqual([400, 'M_INVALID_PARAM']);
  await server.stop();
});

test('the addresses that an account and a client network look up are limited by the keys of old, too', async () => {
  const server = await startTestServer({
    sections: {
      general: `lookup.account_ratelimit.burst = 3
lookup.account_ratelimit.rate_hz = 1
lookup.client_ratelimit.burst = 5
lookup.client_ratelimit.rate_hz = 1`,
      http: 'obey_x_forwarded_for = true',
    },
  });
  const root = `${server.url}/_matrix/identity`;
  const token = await server.token('@ada:sample.test');
  const other = await server.token('@grace:sample.test');
  const { lookup_pepper: pepper } = (await get(`${root}/v2/hash_details`, {}, token)).json;
  let asked = 0;
  const ask = (count: number, by: string) =>
    request(`${root}/v2/lookup`, {
      method: 'POST',
      headers: { authorization: `Bearer ${by}`, 'x-forwarded-for': '192.0.2.1' },
      body: JSON.stringify({
        algorithm: 'sha256',
        pepper,
        addresses: Array.from({ length: count }, () => `${asked++}`),
      }),
    });
  expect((await ask(2, token)).status).toBe(200);
  const refused = await ask(2, token);
  expect(code(refused)).toEqual([429, 'M_LIMIT_EXCEEDED']);
  expect(refused.json.retry_after_ms).toBe(1000);
  expect(refused.headers.get('retry-after')).toBe('1');
  expect((await ask(1, token)).status).toBe(200);
  expect((await ask(2, other)).status).toBe(200);
  expect(code(await ask(1, other))).toEqual([429, 'M_LIMIT_EXCEEDED']);
  const v1 = await request(`${root}/api/v1/lookup?medium=email&address=a@b.test`, {
    headers: { 'x-forwarded-for': '192.0.2.1' },
  });
  expect(code(v1)).toEqual([429, 'M_LIMIT_EXCEEDED']);
  server.clock.advance(60_000);
  // More than fits a bucket passes when it is empty.
  expect((await ask(20, token)).status).toBe(200);
  await server.stop();
});
