import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { collectPairs } from '../../src/listeners/http/form.ts';
import { multipartPairs } from '../../src/listeners/http/multipart.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { quickestWork } from '../support/time.ts';

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

describe('a form in parts', () => {
  const TYPE = 'Content-Type: multipart/form-data; boundary=X\r\n';
  const part = (name: string, value: string, more = '') =>
    `--X\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`;
  const SESSION = part('sid', '1') + part('client_secret', 'a');
  const submit = (body: string, type = TYPE, query = '') =>
    post(`/api/v1/validate/email/submitToken${query}`, type, body);

  test.each([
    ['as it should be', `${SESSION}${part('token', 't')}--X--\r\n`],
    ['with text before and after', `hello\r\n${SESSION}${part('token', 't')}--X--\r\nbye\r\n--X`],
    ['without a line end behind it', `${SESSION}${part('token', 't')}--X--`],
    [
      'with spaces behind a boundary',
      `${SESSION}${part('token', 't')}--X-- \t`.replace('--X', '--X \t'),
    ],
    ['with headers beside', `${SESSION}${part('token', 't', '\r\nContent-Type: text/plain')}--X--`],
    ['with an empty value', `${SESSION}${part('token', '')}--X--`],
    ['with lines in a value', `${SESSION}${part('token', '\r\n-X\r\n--\r\n')}--X--`],
    [
      'beside a file',
      `${SESSION}${part('token', 't')}${part('sid', '\xff', '; filename="a"')}--X--`,
    ],
    [
      'beside a file of an odd name',
      `${SESSION}${part('token', 't')}${part('sid', '2', "; filename*=utf-8''a")}--X--`,
    ],
    [
      'of headers in another case',
      `${SESSION}${part('token', 't')}--X--`.replaceAll('Content-D', 'CONTENT-d'),
    ],
    ['of a name without quotes', `${SESSION}${part('token', 't')}--X--`.replace('"sid"', 'sid')],
  ])('is read %s', async (_what, body) => {
    const answer = await submit(body);
    expect([answer.status, answer.json.errcode]).toEqual([200, 'M_NO_VALID_SESSION']);
  });

  test.each([
    ['multipart/form-data; boundary="X"', 'X'],
    ['Multipart/Form-Data; charset=utf-8; Boundary=X', 'X'],
    [`multipart/form-data; boundary="${'a b'.repeat(23)}"`, 'a b'.repeat(23)],
    [
      'multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW',
      '----WebKitFormBoundary7MA4YWxkTrZu0gW',
    ],
  ])('of type %s', async (type, boundary) => {
    const body = `${SESSION}${part('token', 't')}--X--\r\n`.replaceAll('--X', `--${boundary}`);
    const answer = await submit(body, `Content-Type: ${type}\r\n`);
    expect(answer.json.errcode).toBe('M_NO_VALID_SESSION');
  });

  test('is read beside the query, and what is given twice is not given', async () => {
    const token = part('token', 't');
    expect((await submit(`${token}--X--`, TYPE, '?sid=1&client_secret=a')).json.errcode).toBe(
      'M_NO_VALID_SESSION',
    );
    const twice = await submit(`${SESSION}${token}${token}--X--`);
    expect(twice.json.error).toBe('Missing parameters: token');
    expect((await submit(`${SESSION}${token}--X--`, TYPE, '?token=t')).json.error).toBe(
      'Missing parameters: token',
    );
    const file = part('token', 't', '; filename="token.txt"');
    expect((await submit(`${SESSION}${file}--X--`)).json.error).toBe('Missing parameters: token');
  });

  test('gives what fetch and its forms put in', async () => {
    const form = new FormData();
    form.set('sid', '1');
    form.set('client_secret', 'with space');
    form.set('token', 'grüße\r\n--x');
    form.set('photo', new Blob(['\xff']), 'photo.png');
    const ask = async () => {
      const url = `${server.url}${ROOT}/api/v1/validate/email/submitToken`;
      return (await (await fetch(url, { method: 'POST', body: form })).json()) as { error: string };
    };
    expect((await ask()).error).toMatch(/^client_secret must be/);
    form.set('client_secret', 'a');
    expect(await ask()).toMatchObject({ errcode: 'M_NO_VALID_SESSION' });
  });

  test.each([
    ['nothing', ''],
    ['no boundary', 'sid=1&client_secret=a&token=t'],
    ['no end', SESSION],
    ['a part without an end', '--X\r\nContent-Disposition: form-data; name="sid"\r\n\r\n1'],
    ['a part without a blank line', '--X\r\nContent-Disposition: form-data; name="sid"\r\n--X--'],
    ['a part without a header', `--X\r\n\r\n1\r\n--X--`],
    ['a part without a name', '--X\r\nContent-Disposition: form-data\r\n\r\n1\r\n--X--'],
    [
      'a part that is not part of a form',
      '--X\r\nContent-Disposition: inline; name="a"\r\n\r\n1\r\n--X--',
    ],
    ['a boundary that goes on', `${SESSION}--Xtra\r\n${part('token', 't')}--X--`],
    ['lines that end in LF alone', SESSION.replaceAll('\r', '')],
    ['long headers', `--X\r\nX: ${'x'.repeat(5000)}\r\n${part('token', 't').slice(5)}--X--`],
    ['too many parts', `${part('a', '').repeat(1001)}--X--`],
    ['too many files', `${part('a', '', '; filename=a').repeat(1001)}--X--`],
  ])('of %s is refused', async (_what, body) => {
    const answer = await submit(body);
    expect([answer.status, answer.json.errcode]).toEqual([400, 'M_INVALID_PARAM']);
  });

  test.each(['\xff', '\xc3', '\xed\xa0\x80'])(
    'with %j, which is not UTF-8, is refused',
    async (bytes) => {
      for (const bad of [part('token', bytes), part(`token${bytes}`, 't')]) {
        const type = TYPE.trim().split(': ')[1] ?? '';
        const answer = await fetch(`${server.url}${ROOT}/api/v1/validate/email/submitToken`, {
          method: 'POST',
          headers: { 'content-type': type },
          body: Buffer.from(`${SESSION}${bad}--X--`, 'latin1'),
        });
        expect(answer.status).toBe(400);
        expect(await answer.json()).toMatchObject({ errcode: 'M_INVALID_PARAM' });
      }
    },
  );

  const SIZE = 500_000;
  test.each([
    ['near boundaries', 'a'.repeat(70), `\r\n--${'a'.repeat(69)}b`],
    ['one letter', 'a'.repeat(70), 'a'],
    ['line ends', 'X', '\r\n'],
    ['empty headers', 'X', '\r\n\r\n'],
    ['quotes', 'X', ';a="\\'],
    ['parts', 'X', '\r\n--X\r\nContent-Disposition: form-data; name=a\r\n\r\n'],
    [
      'parts with long headers',
      'X',
      `\r\n--X\r\nContent-Disposition: form-data${';a="'.repeat(990)}; name=a\r\n\r\n`,
    ],
  ])('of %s without end takes no long time', async (_what, boundary, piece) => {
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n`;
    for (const start of ['', head]) {
      const body = Buffer.from(start + piece.repeat(SIZE / piece.length));
      const time = await quickestWork(() => {
        try {
          collectPairs(multipartPairs(body, boundary));
        } catch (error) {
          expect(error).toMatchObject({ errcode: 'M_INVALID_PARAM' });
        }
      });
      // What is not linear takes seconds.
      expect(time).toBeLessThan(300);
    }
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

test('an address that is nearly one is told so as fast as any other', async () => {
  const began = performance.now();
  // Each letter more would double the time, where a label could be matched in two ways.
  for (const letters of [24, 26, 28, 30]) {
    const body = JSON.stringify({
      email: `x@${'a'.repeat(letters)}!`,
      client_secret: 'a',
      send_attempt: 1,
    });
    const path = '/api/v1/validate/email/requestToken';
    const answer = await post(path, 'Content-Type: application/json\r\n', body);
    expect(answer.json.errcode).toBe('M_INVALID_EMAIL');
  }
  expect(performance.now() - began).toBeLessThan(10_000);
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
