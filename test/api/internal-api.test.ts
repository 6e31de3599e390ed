import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiDescription } from '../../src/listeners/http/openapi.ts';
import { decodeBase64 } from '../../src/signing/base64.ts';
import { verifySignedJson } from '../../src/signing/signed-json.ts';
import { ENGINES } from '../support/databases.ts';
import { get, postJson, request, type TestAnswer } from '../support/http.ts';
import { invite } from '../support/invitations.ts';
import {
  introduce,
  lookup,
  startReplicatingServer,
  unbind,
} from '../support/replicating-servers.ts';
import { PUBLIC_KEY, SERVER_NAME, startTestServer, type TestServer } from '../support/server.ts';
import { createTestCa } from '../support/tls.ts';

const INTERNAL = '/_matrix/identity/internal';
const code = ({ status, json }: TestAnswer) => [status, json?.errcode];
const ADA = { medium: 'email', address: 'ada@sample.test', mxid: '@ada:sample.test' };

describe.each(ENGINES)('the internal API on %s', (engine) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ engine });
  });
  afterAll(() => server.stop());

  const url = (action: string) => `${server.internalUrl}${INTERNAL}/${action}`;
  const boundTo = async (address: string, medium = 'email') =>
    (await get(`${server.url}/_matrix/identity/api/v1/lookup`, { medium, address })).json.mxid;
  const verifies = (signed: object) =>
    verifySignedJson(signed, SERVER_NAME, 'ed25519:0', decodeBase64(PUBLIC_KEY) as Uint8Array);
  const post = (action: string, body: string | object, headers: Record<string, string> = {}) =>
    request(url(action), {
      method: 'POST',
      // As bytes: to text fetch would add a type of its own.
      body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
      headers,
    });

  test.each([
    ['none', {}],
    ['that of curl -d', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['that of JSON', { 'content-type': 'application/json' }],
    ['that of text', { 'content-type': 'text/plain; charset=utf-8' }],
    ['one that is not one', { 'content-type': ';;;' }],
  ])('a body is JSON whatever its type: %s', async (_what, headers: Record<string, string>) => {
    const bound = await post('bind', ADA, headers);
    expect([bound.status, bound.json.mxid]).toEqual([200, ADA.mxid]);
    expect(verifies(bound.json)).toBe(true);
    expect(await boundTo(ADA.address)).toBe(ADA.mxid);
    const unbound = await post('unbind', ADA, headers);
    expect([unbound.status, unbound.text]).toEqual([200, '{}']);
    expect(await boundTo(ADA.address)).toBeUndefined();
  });

  test('neither query nor form is read', async () => {
    const form = new URLSearchParams({ ...ADA, address: 'form@sample.test' });
    for (const action of ['bind', 'unbind']) {
      const inQuery = await request(`${url(action)}?${form}`, { method: 'POST', body: '{}' });
      expect(inQuery.json).toEqual({
        errcode: 'M_MISSING_PARAMS',
        error: 'Missing parameters: address,medium,mxid',
      });
      expect(code(await request(url(action), { method: 'POST', body: form }))).toEqual([
        400,
        'M_BAD_JSON',
      ]);
      for (const body of ['null', '[]', '']) {
        const answer = await request(`${url(action)}?${form}`, { method: 'POST', body });
        expect(code(answer)).toEqual([400, 'M_BAD_JSON']);
      }
    }
    expect(await boundTo('form@sample.test')).toBeUndefined();
  });

  test.each(['https://evil.test', 'null', 'http://localhost:8091', ''])(
    'what comes from a web page of origin %j is refused',
    async (origin) => {
      for (const type of ['text/plain', 'application/json', 'application/x-www-form-urlencoded']) {
        const address = 'page@sample.test';
        const answer = await post('bind', { ...ADA, address }, { origin, 'content-type': type });
        expect(code(answer)).toEqual([403, 'M_FORBIDDEN']);
        expect(await boundTo(address)).toBeUndefined();
      }
      await post('bind', ADA);
      expect(code(await post('unbind', ADA, { origin }))).toEqual([403, 'M_FORBIDDEN']);
      expect(await boundTo(ADA.address)).toBe(ADA.mxid);
      for (const path of ['/nowhere', `${INTERNAL}/bind`, '/_matrix/identity/openapi.json']) {
        const answer = await request(server.internalUrl + path, { headers: { origin } });
        expect(answer.status).toBe(403);
      }
    },
  );

  test('it is refused before its body is read', async () => {
    const socket = connect(new URL(server.internalUrl).port as unknown as number, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      `POST ${INTERNAL}/bind HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.test\r\nContent-Length: 1000\r\n\r\n`,
    );
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 403 /);
    socket.destroy();
  });

  test('no answer lets a web page read it, not even to ask whether it may', async () => {
    const preflight = await request(url('bind'), {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.test', 'access-control-request-method': 'POST' },
    });
    const plain = await request(url('bind'), { method: 'OPTIONS' });
    const answers = [
      preflight,
      plain,
      await request(`${server.internalUrl}/nowhere`, { method: 'OPTIONS' }),
      await post('bind', ADA),
      await post('bind', '{'),
      await get(url('bind')),
      await get(`${server.internalUrl}/nowhere`),
      await get(`${server.internalUrl}/%zz`),
    ];
    expect(answers.map(code)).toEqual([
      [403, 'M_FORBIDDEN'],
      [405, 'M_UNRECOGNIZED'],
      [404, 'M_UNRECOGNIZED'],
      [200, undefined],
      [400, 'M_BAD_JSON'],
      [405, 'M_UNRECOGNIZED'],
      [404, 'M_UNRECOGNIZED'],
      [400, 'M_INVALID_PARAM'],
    ]);
    expect(plain.headers.get('allow')).toBe('POST');
    for (const { headers } of answers) {
      expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
    const socket = connect(new URL(server.internalUrl).port as unknown as number, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('NONSENSE\r\n\r\n');
    expect((await text(socket)).toLowerCase()).not.toContain('access-control');
  });

  test('a number is the same with a plus sign', async () => {
    const [medium, mxid] = ['msisdn', '@grace:sample.test'];
    const bound = await post('bind', { medium, address: '+447700900123', mxid });
    expect(bound.json.address).toBe('447700900123');
    expect(await boundTo('447700900123', medium)).toBe(mxid);
    for (const address of ['++447700900123', '+', '+0', '+44 7700 900123', '00447700900123']) {
      const refused = await post('bind', { medium, address, mxid });
      expect(code(refused)).toEqual([400, 'M_INVALID_PARAM']);
    }
    await post('unbind', { medium, address: '+447700900123', mxid });
    expect(await boundTo('447700900123', medium)).toBeUndefined();
    const plus = await post('bind', { medium: 'email', address: '+ada@sample.test', mxid });
    expect(plus.json.address).toBe('+ada@sample.test');
  });

  test('synapse-bind-sydent binds what a user has at registration', async () => {
    const threepids = [
      { address: 'new@sample.test', medium: 'email' },
      { address: '447700900124', medium: 'msisdn' },
    ];
    for (const threepid of threepids) {
      const bound = await postJson(url('bind'), { ...threepid, mxid: '@new:sample.test' });
      expect([bound.status, bound.headers.get('content-type')]).toEqual([200, 'application/json']);
      expect(await boundTo(threepid.address, threepid.medium)).toBe('@new:sample.test');
    }
    for (const threepid of threepids) {
      const unbound = await postJson(url('unbind'), { ...threepid, mxid: '@new:sample.test' });
      expect([unbound.status, unbound.json]).toEqual([200, {}]);
      expect(await boundTo(threepid.address, threepid.medium)).toBeUndefined();
    }
  });

  test.each([
    '@a',
    'ada',
    '@:x',
    '@a b:sample.test',
    '@ada:sample test',
    '\u00e4 \n',
    '@ada:example.com:0',
    '@ada:example.com:04242',
    '@ada:[::1]:99999',
    `@${'a'.repeat(1023)}`,
  ])('%.30j is bound as it is, and the answer warns that nobody is told', async (mxid) => {
    const address = 'odd@sample.test';
    const seen = server.logs.length;
    const bound = await post('bind', { medium: 'email', address, mxid });
    expect(bound.status).toBe(200);
    expect(bound.json).toMatchObject({ mxid, warning: expect.stringContaining('no homeserver') });
    expect(verifies(bound.json)).toBe(true);
    const found = (
      await get(`${server.url}/_matrix/identity/api/v1/lookup`, { medium: 'email', address })
    ).json;
    expect(found).toMatchObject({ mxid });
    expect(found).not.toHaveProperty('warning');
    expect(verifies(found)).toBe(true);
    const owed = 'select id from cognomen_notices where association like ?';
    expect(await server.database.execute(owed, [`%${address}%`])).toEqual([]);
    expect(server.logs.slice(seen).join('')).toContain('no homeserver that could be told');
    expect((await post('unbind', { medium: 'email', address, mxid })).json).toEqual({});
    expect(await boundTo(address)).toBeUndefined();
  });

  test('invitations of an address bound to nobody’s user are in the answer, and stay pending', async () => {
    const address = 'invited@sample.test';
    const { token } = await invite(server, address);
    for (const mxid of ['@a', '@b']) {
      const bound = (await post('bind', { medium: 'email', address, mxid })).json;
      expect(bound.invites).toMatchObject([{ token, mxid }]);
      expect(bound.warning).toEqual(expect.any(String));
      expect(verifies(bound)).toBe(true);
    }
  });

  test('no warning is where there is a homeserver', async () => {
    for (const mxid of [ADA.mxid, '@a:example.com:4242', '@a:[::1]', '@a:1.2.3.4:65535']) {
      expect((await post('bind', { ...ADA, mxid })).json).not.toHaveProperty('warning');
    }
  });

  test.each([
    { mxid: '' },
    { mxid: 1 },
    { mxid: 'a\0' },
    { mxid: '\ud800' },
    { mxid: 'a'.repeat(1025) },
    { medium: 'pigeon' },
    { address: 'not an address' },
    { address: {} },
  ])('%.30j is not bound', async (wrong) => {
    expect(code(await post('bind', { ...ADA, ...wrong }))).toEqual([400, 'M_INVALID_PARAM']);
  });

  test('what Sydent bound of a kind that nobody can bind now can be unbound', async () => {
    const row = { medium: 'email', address: 'notanemail', mxid: '@ada:sample.test' };
    await server.database.execute(
      `insert into local_threepid_associations (medium, address, mxid, ts, "notBefore", "notAfter")
       values (?, ?, ?, 1, 1, 99999999999999)`,
      [row.medium, row.address, row.mxid],
    );
    expect((await post('unbind', row)).json).toEqual({});
    const left = await server.database.execute(
      "select mxid from local_threepid_associations where address = 'notanemail'",
    );
    expect(left).toEqual([{ mxid: null }]);
  });

  test('it describes itself', async () => {
    const { json } = await get(`${server.internalUrl}/_matrix/identity/openapi.json`);
    const { paths, info } = json as ApiDescription;
    expect(info.title).toBe('Internal API of Cognomen');
    expect(Object.keys(paths)).toEqual([
      '/_matrix/identity/openapi.json',
      `${INTERNAL}/bind`,
      `${INTERNAL}/unbind`,
    ]);
    const { json: client } = await get(`${server.url}/_matrix/identity/openapi.json`);
    expect(Object.keys(client.paths).join()).not.toContain('internal');
  });

  test('a user without a server is replicated, and taken back, like any other', async () => {
    const ca = await createTestCa();
    const a = await startReplicatingServer(ca, 'a.test', { engine });
    const b = await startReplicatingServer(ca, 'b.test', { engine });
    try {
      await introduce(a, b);
      await introduce(b, a);
      const address = 'odd@sample.test';
      const body = { medium: 'email', address, mxid: '@a' };
      const bound = await postJson(`${a.internalUrl}${INTERNAL}/bind`, body);
      expect(bound.json.warning).toEqual(expect.any(String));
      const patience = { interval: 20 };
      await expect.poll(() => lookup(b, address), patience).toMatchObject({ mxid: '@a' });
      const replicated = await lookup(b, address);
      expect(replicated).not.toHaveProperty('warning');
      const key = decodeBase64(a.publicKey) as Uint8Array;
      expect(verifySignedJson(replicated, 'a.test', 'ed25519:0', key)).toBe(true);
      await unbind(a, address, '@a');
      await expect.poll(() => lookup(b, address), patience).toEqual({});
    } finally {
      await a.stop();
      await b.stop();
      await ca.remove();
    }
  });
});

describe('with a token the internal API', () => {
  const TOKEN = 'a-token-that-nobody-guesses';
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ sections: { http: `internalapi.token = ${TOKEN}` } });
  });
  afterAll(() => server.stop());
  const bindUrl = () => `${server.internalUrl}${INTERNAL}/bind`;
  const withAuthorization = (authorization: string | undefined, url = bindUrl()) =>
    request(url, {
      method: 'POST',
      body: JSON.stringify(ADA),
      headers: authorization === undefined ? {} : { authorization },
    });

  test('lets in who shows it', async () => {
    for (const authorization of [`Bearer ${TOKEN}`, `bearer  ${TOKEN} `]) {
      const bound = await withAuthorization(authorization);
      expect([bound.status, bound.json.mxid]).toEqual([200, ADA.mxid]);
    }
    const described = await get(`${server.internalUrl}/_matrix/identity/openapi.json`, {}, TOKEN);
    const { paths } = described.json as ApiDescription;
    for (const path of Object.values(paths)) {
      for (const { security, responses } of Object.values(path)) {
        expect(security).toEqual([{ accessToken: [] }]);
        expect(responses['401']?.description).toBe('`M_UNAUTHORIZED`');
      }
    }
  });

  test.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    TOKEN,
    `Basic ${TOKEN}`,
    'Bearer x',
    `Bearer ${TOKEN}x`,
    `Bearer ${TOKEN.slice(0, -1)}`,
    `Bearer ${TOKEN.toUpperCase()}`,
    `Bearer ${TOKEN} ${TOKEN}`,
  ])('refuses %j, and binds nothing', async (authorization) => {
    await request(`${server.internalUrl}${INTERNAL}/unbind`, {
      method: 'POST',
      body: JSON.stringify(ADA),
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    const refused = await withAuthorization(authorization);
    expect(code(refused)).toEqual([401, 'M_UNAUTHORIZED']);
    expect(refused.json.error).toEqual(expect.any(String));
    expect(refused.headers.get('www-authenticate')).toBe('Bearer');
    const lookup = `${server.url}/_matrix/identity/api/v1/lookup`;
    expect((await get(lookup, { medium: 'email', address: ADA.address })).json).toEqual({});
  });

  test('refuses whatever else is asked of it: no user’s token helps, nor one in the query', async () => {
    const user = await server.token('@ada:sample.test');
    for (const path of [`${INTERNAL}/bind`, '/_matrix/identity/openapi.json', '/nowhere', '/']) {
      for (const method of ['GET', 'POST', 'OPTIONS', 'PUT', 'HEAD']) {
        const url = `${server.internalUrl}${path}?access_token=${TOKEN}`;
        const answer = await request(url, { method, headers: { authorization: `Bearer ${user}` } });
        expect(answer.status).toBe(401);
      }
    }
    // Web pages are told that they are not wanted, whatever they know.
    const headers = { origin: 'https://evil.test', authorization: `Bearer ${TOKEN}` };
    expect((await request(bindUrl(), { method: 'POST', headers })).status).toBe(403);
    expect((await get(`${server.url}/_matrix/identity/v2`)).status).toBe(200);
    expect(server.logs.join('')).not.toContain(TOKEN);
  });

  test('refuses before a body is read', async () => {
    const socket = connect(Number(new URL(server.internalUrl).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`POST ${INTERNAL}/bind HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{`);
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 401 /);
    socket.destroy();
  });
});
