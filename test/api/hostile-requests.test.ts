import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../support/server.ts';

const ROOT = '/_matrix/identity';
let server: TestServer;
let token: string;
beforeAll(async () => {
  server = await startTestServer({
    sections: { general: 'lookup.client_ratelimit.burst = 1', http: 'obey_x_forwarded_for = true' },
  });
  token = await server.token('@ada:sample.test');
});
afterAll(() => server.stop());

interface RawAnswer {
  readonly status: number;
  readonly headers: string;
  // biome-ignore lint/suspicious/noExplicitAny: answers are asserted on member by member
  readonly json: any;
}

/** Sends bytes as they are, and reads until the server closes the connection. */
async function send(request: string): Promise<RawAnswer> {
  const socket = connect(server.app.addresses.client.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(request);
  const answer = await text(socket);
  const end = answer.indexOf('\r\n\r\n');
  const body = answer.slice(end + 4);
  return {
    status: Number(answer.slice(9, 12)),
    headers: answer.slice(0, end).toLowerCase(),
    json: body === '' ? undefined : JSON.parse(body),
  };
}

const get = (path: string, headers = '', method = 'GET') =>
  send(`${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`);
const post = (path: string, headers: string, body: string) =>
  send(
    `POST ${ROOT}${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
const bearer = () => `Authorization: Bearer ${token}\r\n`;

describe('a body is read whatever its type is said to be', () => {
  test.each(['', 'garbage', ';;;', 'text/plain; charset', 'multipart/form-data', 'a/b, c/d'])(
    '%j',
    async (type) => {
      const header = `Content-Type: ${type}\r\n`;
      const v2 = await post('/v2/terms', bearer() + header, '{"user_accepts":[]}');
      expect([v2.status, v2.json]).toEqual([200, {}]);
      const query = '/api/v1/validate/email/submitToken?sid=1&client_secret=a&token=t';
      expect((await post(query, header, 'x')).json.errcode).toBe('M_NO_VALID_SESSION');
    },
  );
});

describe('what would take long to parse is refused before', () => {
  const members = (count: number) =>
    `{${Array.from({ length: count }, (_, i) => `"${i}":1`).join(',')}}`;

  test.each([
    ['lists in lists', `{"addresses":${'['.repeat(101)}${']'.repeat(101)}}`, 'nested too deeply'],
    ['lists without end', '['.repeat(500_000), 'nested too deeply'],
    ['objects in objects', `${'{"a":'.repeat(100_000)}`, 'nested too deeply'],
    ['too many members', members(1001), 'holds too much'],
    ['too many lists', `[${'{},'.repeat(50_000)}{}]`, 'holds too much'],
  ])('%s', async (_what, body, error) => {
    const answer = await post('/v2/lookup', bearer(), body);
    expect([answer.status, answer.json.errcode]).toEqual([400, 'M_BAD_JSON']);
    expect(answer.json.error).toContain(error);
  });

  test('what only looks like it is not', async () => {
    const text = JSON.stringify({ user_accepts: [], x: `\\"${'[{:'.repeat(1000)}` });
    expect((await post('/v2/terms', bearer(), text)).status).toBe(200);
    expect((await post('/v2/lookup', bearer(), members(1000))).json.errcode).toBe(
      'M_MISSING_PARAMS',
    );
  });

  test.each(['a&'.repeat(250_000), '&'.repeat(500_000), `a=${'&b=%41'.repeat(1000)}`])(
    'a form of too many parameters: %.10s…',
    async (form) => {
      const answer = await post(
        '/api/v1/validate/email/submitToken',
        'Content-Type: application/x-www-form-urlencoded\r\n',
        form,
      );
      expect([answer.status, answer.json.errcode]).toEqual([400, 'M_INVALID_PARAM']);
    },
  );

  test('a request whose signature is to be checked', async () => {
    const answer = await post('/v2/3pid/unbind', '', `{"x":"${'x'.repeat(64 * 1024)}"}`);
    expect([answer.status, answer.json.errcode]).toEqual([413, 'M_TOO_LARGE']);
  });
});

test('odd escapes in a form are what they are', async () => {
  const ask = (value: string) => get(`${ROOT}/api/v1/lookup?medium=email&address=${value}`);
  for (const value of ['%', '%4', '%zz', '%%41', '+', '%C3%A9']) {
    expect([200, 429]).toContain((await ask(value)).status);
  }
  for (const value of ['%C3', '%ED%A0%80', '%ff']) {
    expect((await ask(value)).json.errcode).toBe('M_INVALID_PARAM');
  }
});

describe('an odd request is answered in JSON, with CORS, and never by a 5xx', () => {
  const long = 'x'.repeat(12_000);
  test.each([
    ['a long path', () => get(`${ROOT}/v2/pubkey/${long}`), 404, 'M_NOT_FOUND'],
    ['QUERY', () => get(`${ROOT}/v2`, '', 'QUERY'), 405, 'M_UNRECOGNIZED'],
    ['QUERY of nothing', () => get('/x', 'Content-Length: 0\r\n', 'QUERY'), 404, 'M_UNRECOGNIZED'],
    ['a long token', () => get(`${ROOT}/v2/account`, `Authorization: Bearer ${long}\r\n`), 401],
    ['long headers', () => get(ROOT, `X: ${long}${long}\r\n`), 431, 'M_TOO_LARGE'],
    ['no Host', () => send('GET / HTTP/1.1\r\nConnection: close\r\n\r\n'), 400, 'M_UNKNOWN'],
    [
      'no Host, to be asked whether it may',
      () => send('OPTIONS /_matrix/identity/v2 HTTP/1.1\r\nConnection: close\r\n\r\n'),
      400,
      'M_UNKNOWN',
    ],
    ['two lengths', () => send('GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 2\r\n\r\n'), 400],
    ['no HTTP', () => send('\x16\x03\x01\x02\r\n\r\n'), 400, 'M_UNRECOGNIZED'],
    ['a key that is an escape of nothing', () => get(`${ROOT}/v2/pubkey/%`), 400],
  ])('%s', async (_what, ask, status, errcode?: string) => {
    const answer = await ask();
    expect(answer.status).toBe(status);
    expect(answer.json).toEqual({
      errcode: errcode ?? expect.stringMatching(/^M_/),
      error: expect.any(String),
    });
    expect(answer.headers).toContain('access-control-allow-origin: *');
    expect(answer.headers).toContain('content-type: application/json');
  });
});

test('HTTP/1.0 does without a Host', async () => {
  const answer = await send(`GET ${ROOT}/v2 HTTP/1.0\r\n\r\n`);
  expect([answer.status, answer.json]).toEqual([200, {}]);
});

test('a limit counts whoever has an IPv6 network as one, however its addresses are written', async () => {
  const ask = async (from: string) =>
    (await get(`${ROOT}/api/v1/lookup?medium=email&address=a`, `X-Forwarded-For: ${from}\r\n`))
      .status;
  expect(await ask('2001:db8:1:2::1')).toBe(200);
  for (const same of ['2001:db8:1:2::1', '2001:DB8:1:2:ffff::', '[2001:0db8:1:2:0::9]:443']) {
    expect(await ask(same)).toBe(429);
  }
  expect(await ask('2001:db8:1:3::1')).toBe(200);
  expect(await ask('192.0.2.1')).toBe(200);
  expect(await ask('::ffff:192.0.2.1')).toBe(429);
  expect(await ask('::ffff:c000:201')).toBe(429);
  expect(await ask('192.0.2.2')).toBe(200);
});
