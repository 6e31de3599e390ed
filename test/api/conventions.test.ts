import { once } from 'node:events';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { get, postJson, request } from '../support/http.ts';
import { PUBLIC_KEY, startTestServer, type TestServer } from '../support/server.ts';

let server: TestServer;
const root = () => `${server.url}/_matrix/identity`;
const v1 = () => `${root()}/api/v1`;
const v2 = () => `${root()}/v2`;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const CORS = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, POST, PUT, DELETE, OPTIONS',
  'access-control-allow-headers': 'Origin, X-Requested-With, Content-Type, Accept, Authorization',
};

const expectCors = (headers: Headers) => {
  for (const [name, value] of Object.entries(CORS)) expect(headers.get(name)).toBe(value);
};

describe('paths and methods', () => {
  test.each([
    '/',
    '/_matrix',
    '/_matrix/identity',
    '/_matrix/identity/v2/nothing',
    '/_matrix/identity/api/v1/%2e%2e/x',
    '/_matrix/identity/internal/bind',
    '/_matrix/identity/replicate/v1/push',
  ])('%s is 404 M_UNRECOGNIZED with CORS', async (path) => {
    for (const method of ['GET', 'POST', 'DELETE']) {
      const answer = await request(server.url + path, { method });
      expect(answer.status).toBe(404);
      expect(answer.json.errcode).toBe('M_UNRECOGNIZED');
      expect(answer.headers.get('content-type')).toBe('application/json');
      expectCors(answer.headers);
    }
  });

  test.each([
    ['PUT', '/v2'],
    ['DELETE', '/api/v1/lookup'],
    ['PATCH', '/versions'],
    ['GET', '/api/v1/3pid/bind'],
    ['POST', '/api/v1/3pid/getValidated3pid'],
    ['POST', '/v2/pubkey/ed25519:0'],
  ])('%s %s is 405 M_UNRECOGNIZED', async (method, path) => {
    const answer = await request(root() + path, { method });
    expect(answer.status).toBe(405);
    expect(answer.json.errcode).toBe('M_UNRECOGNIZED');
    expect(answer.headers.get('allow')).toContain(method === 'GET' ? 'POST' : 'GET');
    expectCors(answer.headers);
  });

  test.each(['/nowhere', '/_matrix/identity/v2', '/_matrix/identity/api/v1/3pid/bind/'])(
    'OPTIONS %s answers 200 with CORS',
    async (path) => {
      const answer = await request(server.url + path, { method: 'OPTIONS' });
      expect(answer.status).toBe(200);
      expectCors(answer.headers);
    },
  );

  test.each(['/versions', '/v2', '/api/v1', '/v2/pubkey/ed25519:0', '/v2/pubkey/isvalid'])(
    '%s takes a slash at its end',
    async (path) => {
      const [plain, slash] = await Promise.all([get(root() + path), get(`${root() + path}/`)]);
      expect(slash.status).toBe(plain.status);
      expect(slash.text).toBe(plain.text);
    },
  );

  test('HEAD is like GET, without the body', async () => {
    const answer = await request(`${v2()}/pubkey/ed25519:0`, { method: 'HEAD' });
    expect(answer.status).toBe(200);
    expect(answer.text).toBe('');
    expect((await request(`${v2()}/pubkey/ed25519:9`, { method: 'HEAD' })).status).toBe(404);
  });

  test('the API roots answer a ping, and the versions are those served', async () => {
    expect((await get(v2())).json).toEqual({});
    expect((await get(v1())).json).toEqual({});
    const { versions } = (await get(`${root()}/versions`)).json;
    expect(versions.slice(0, 5)).toEqual(['r0.1.0', 'r0.2.0', 'r0.2.1', 'r0.3.0', 'v1.1']);
    expect(versions.at(-1)).toBe('v1.19');
  });

  test('a path that is not valid percent-encoding is refused', async () => {
    const answer = await get(`${v2()}/pubkey/%zz`);
    expect(answer.status).toBe(400);
    expect(answer.json.errcode).toBe('M_INVALID_PARAM');
    expectCors(answer.headers);
  });
});

describe('arguments', () => {
  const submit = () => `${v1()}/validate/email/submitToken`;

  test.each<[string, RequestInit & { query?: string }, string]>([
    ['nothing', {}, 'M_MISSING_PARAMS'],
    [
      'JSON that is not one',
      { headers: { 'content-type': 'application/json' }, body: '{' },
      'M_BAD_JSON',
    ],
    [
      'an empty JSON body',
      { headers: { 'content-type': 'application/json' }, body: '' },
      'M_BAD_JSON',
    ],
    ['a list', { headers: { 'content-type': 'application/json' }, body: '[]' }, 'M_BAD_JSON'],
    [
      'a string',
      { headers: { 'content-type': 'application/json; charset=utf-8' }, body: '"x"' },
      'M_BAD_JSON',
    ],
    [
      'NaN',
      { headers: { 'content-type': 'application/json' }, body: '{"sid": NaN}' },
      'M_BAD_JSON',
    ],
    [
      'JSON that is not UTF-8',
      {
        headers: { 'content-type': 'application/json' },
        body: Buffer.from('7b2261223a22ff227d', 'hex'),
      },
      'M_BAD_JSON',
    ],
    [
      'wrong types',
      {
        headers: { 'content-type': 'application/json' },
        body: '{"sid": {}, "client_secret": "a", "token": "t"}',
      },
      'M_INVALID_PARAM',
    ],
    [
      'null',
      {
        headers: { 'content-type': 'application/json' },
        body: '{"sid": "1", "client_secret": null, "token": "t"}',
      },
      'M_INVALID_PARAM',
    ],
    [
      'NUL and lone surrogates',
      {
        headers: { 'content-type': 'application/json' },
        body: '{"sid": "1", "client_secret": "a", "token": "\\u0000\\ud800"}',
      },
      'M_INVALID_PARAM',
    ],
    ['a query that is not UTF-8', { query: '?sid=1&client_secret=a&token=%ff' }, 'M_INVALID_PARAM'],
    ['a parameter twice', { query: '?sid=1&client_secret=a&token=t&token=t' }, 'M_MISSING_PARAMS'],
    [
      'a parameter in query and form',
      {
        query: '?sid=1&client_secret=a&token=t',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: 'token=t',
      },
      'M_MISSING_PARAMS',
    ],
    [
      'a query beside a JSON object',
      {
        query: '?sid=1&client_secret=a&token=t',
        headers: { 'content-type': 'application/json' },
        body: '{}',
      },
      'M_MISSING_PARAMS',
    ],
    ['a bad client secret', { query: '?sid=1&client_secret=a%20b&token=t' }, 'M_INVALID_PARAM'],
    [
      'a long client secret',
      { query: `?sid=1&client_secret=${'a'.repeat(256)}&token=t` },
      'M_INVALID_PARAM',
    ],
  ])('%s: 400 %s', async (_what, { query = '', ...init }, errcode) => {
    const answer = await request(submit() + query, { method: 'POST', ...init });
    expect([answer.status, answer.json.errcode]).toEqual([400, errcode]);
    expectCors(answer.headers);
  });

  test('missing ones are named', async () => {
    const answer = await postJson(submit(), { sid: '1' });
    expect(answer.json).toEqual({
      errcode: 'M_MISSING_PARAMS',
      error: 'Missing parameters: client_secret,token',
    });
  });

  test.each<[string, string, RequestInit]>([
    [
      'JSON',
      '',
      {
        headers: { 'content-type': 'application/json' },
        body: '{"sid":"1","client_secret":"a","token":"t"}',
      },
    ],
    [
      'a number as sid',
      '',
      {
        headers: { 'content-type': 'application/json' },
        body: '{"sid":1,"client_secret":"a","token":"t"}',
      },
    ],
    [
      'null with a query',
      '?sid=1&client_secret=a&token=t',
      { headers: { 'content-type': 'application/json' }, body: 'null' },
    ],
    ['a query alone', '?sid=1&client_secret=a&token=t', {}],
    [
      'a form',
      '',
      {
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: 'sid=1&client_secret=a&token=t+%C3%A9',
      },
    ],
    [
      'query and form',
      '?sid=1',
      {
        headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
        body: 'client_secret=a&token=t',
      },
    ],
    [
      'a body of another type, not looked at',
      '?sid=1&client_secret=a&token=t',
      { headers: { 'content-type': 'text/plain' }, body: '{' },
    ],
    ['a session id of another server', '?sid=abc.DEF&client_secret=a&token=t', {}],
  ])('%s is understood in v1', async (_what, query, init) => {
    const answer = await request(submit() + query, { method: 'POST', ...init });
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ success: false, errcode: 'M_NO_VALID_SESSION' });
  });

  test('a body over 512 KiB is refused, one of that size is not', async () => {
    const body = (length: number) => `{"x":"${'x'.repeat(length - 8)}"}`;
    const large = await request(submit(), { method: 'POST', body: body(512 * 1024 + 1) });
    expect([large.status, large.json.errcode]).toEqual([413, 'M_TOO_LARGE']);
    expectCors(large.headers);
    const fitting = await request(submit(), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: body(512 * 1024),
    });
    expect(fitting.json.errcode).toBe('M_MISSING_PARAMS');
  });

  test('a client that is still sending too large a body is listened to', async () => {
    const { port } = server.app.addresses.client;
    const socket = connect(port, '127.0.0.1');
    const head = 'POST /_matrix/identity/api/v1/lookup HTTP/1.1\r\nHost: x\r\n';
    const size = 8 * 1024 * 1024;
    socket.write(`${head}Content-Length: ${size}\r\n\r\n`);
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 413 /);
    await promisify(socket.end.bind(socket) as (data: Buffer, done: () => void) => void)(
      Buffer.alloc(size),
    );
    await once(socket, 'close');
    expect(socket.bytesWritten).toBeGreaterThan(size);
  });

  test('a client that breaks off is not a failure of the server', async () => {
    const { port } = server.app.addresses.client;
    const seen = server.logs.length;
    const socket = connect(port, '127.0.0.1');
    const head = 'POST /_matrix/identity/api/v1/lookup HTTP/1.1\r\nHost: x\r\n';
    socket.write(`${head}Transfer-Encoding: chunked\r\n\r\nnonsense\r\n`);
    await once(socket.resume(), 'close');
    expect((await get(`${server.url}/health`)).status).toBe(200);
    expect(server.logs.slice(seen).join('')).not.toContain('failed');
  });

  test('bulk_lookup takes a list of pairs, and not too many', async () => {
    const lookup = (threepids: unknown) => postJson(`${v1()}/bulk_lookup`, { threepids });
    for (const wrong of ['x', {}, [1], [['email']], [['email', 1]], [['email', 'a', 'b']], null]) {
      const answer = await lookup(wrong);
      expect([answer.status, answer.json.errcode]).toEqual([400, 'M_INVALID_PARAM']);
    }
    const many = Array.from({ length: 10_001 }, (_, i) => ['email', `${i}@a.test`]);
    const refused = await lookup(many);
    expect([refused.status, refused.json.errcode]).toEqual([400, 'M_TOO_LARGE']);
    expect((await lookup(many.slice(1))).json).toEqual({ threepids: [] });
    expect((await lookup([])).json).toEqual({ threepids: [] });
  });
});

describe('keys', () => {
  const KEY = 'XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI';

  test('are found by id, percent-encoded or not, in both versions', async () => {
    for (const id of ['ed25519:0', 'ed25519%3A0', 'ed25519%3a0']) {
      expect((await get(`${v2()}/pubkey/${id}`)).json).toEqual({ public_key: KEY });
      expect((await get(`${v1()}/pubkey/${id}`)).json).toEqual({ public_key: KEY });
    }
    const unknown = await get(`${v2()}/pubkey/ed25519:1`);
    expect([unknown.status, unknown.json.errcode]).toEqual([404, 'M_NOT_FOUND']);
  });

  test('are valid in either alphabet', async () => {
    const valid = async (query: string) =>
      (await get(`${v2()}/pubkey/isvalid?public_key=${query}`)).json;
    expect(await valid(KEY)).toEqual({ valid: true });
    expect(await valid(`${KEY}%3D`)).toEqual({ valid: true });
    expect(await valid(KEY.replace('X', 'Y'))).toEqual({ valid: false });
    expect(await valid('')).toEqual({ valid: false });
    expect((await get(`${v2()}/pubkey/isvalid`)).json.errcode).toBe('M_MISSING_PARAMS');
    expect((await get(`${v2()}/pubkey/ephemeral/isvalid?public_key=x`)).json).toEqual({
      valid: false,
    });
  });
});

test('secrets of requests are not in the log', async () => {
  await get(`${v1()}/3pid/getValidated3pid?sid=17&client_secret=hush-hush&token=very-secret`);
  await get(`${v1()}/nowhere/hush-hush?access_token=very-secret`);
  await request(`${v1()}/validate/email/submitToken`, {
    method: 'POST',
    body: 'token=very-secret',
  });
  expect(server.logs.join('')).not.toMatch(/hush|very-secret/);
  expect(server.logs.join('')).toContain('/3pid/getValidated3pid');
});

test('what is not HTTP gets an answer and the server stays up', async () => {
  const { port } = server.app.addresses.client;
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('NONSENSE\r\n\r\n'));
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.on('close', () => resolve(received));
    socket.on('error', reject);
  });
  expect(answer).toMatch(/^HTTP\/1\.1 400/);
  expect((await get(`${server.url}/health`)).status).toBe(200);
});

describe('switches', () => {
  test('without v1 its keys stay, and links go to v2', async () => {
    const other = await startTestServer({ sections: { general: 'enable_v1_access = false' } });
    try {
      const base = `${other.url}/_matrix/identity`;
      expect((await get(`${base}/api/v1`)).status).toBe(404);
      expect((await get(`${base}/api/v1/lookup`)).status).toBe(404);
      expect((await get(`${base}/api/v1/pubkey/ed25519:0`)).status).toBe(200);
      expect((await get(`${base}/v2/validate/email/submitToken`)).status).toBe(400);
      expect((await get(`${base}/versions`)).json.versions[0]).toBe('v1.1');
    } finally {
      await other.stop();
    }
  });

  test('without v1 associations only 3pid/bind is gone', async () => {
    const other = await startTestServer({
      sections: { general: 'enable_v1_associations = false' },
    });
    try {
      const base = `${other.url}/_matrix/identity/api/v1`;
      expect((await postJson(`${base}/3pid/bind`, {})).status).toBe(404);
      expect((await get(`${base}/lookup?medium=email&address=a@b`)).json).toEqual({});
    } finally {
      await other.stop();
    }
  });

  test('a key of another version is served under its id and as ed25519:0, old ones under theirs', async () => {
    const old = 'Noi6WqcDj0QmPxCNQqgezwTlBKrfqehY1u2FyWP9uYw';
    const sameVersion = '2Wg9Rts1QHReWmA6QhsokCie7CeKtoUtpRWA5wQi2fE';
    const other = await startTestServer({
      sections: {
        crypto: `ed25519.old_keys =\n  ed25519 first ${old}\n  ed25519 0 ${sameVersion}`,
      },
    });
    try {
      const base = `${other.url}/_matrix/identity/v2`;
      expect((await get(`${base}/pubkey/ed25519:first`)).json).toEqual({ public_key: old });
      expect((await get(`${base}/pubkey/ed25519:0`)).json).toEqual({ public_key: PUBLIC_KEY });
      for (const public_key of [old, sameVersion, PUBLIC_KEY]) {
        expect((await get(`${base}/pubkey/isvalid`, { public_key })).json).toEqual({ valid: true });
      }
    } finally {
      await other.stop();
    }
  });
});
