import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer, type Socket } from 'node:net';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/databases.ts';
import { startDnsServer, type TestDnsServer } from '../support/dns-server.ts';
import { testOutbound } from '../support/outbound.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

let ca: TestCa;
let dns: TestDnsServer;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  ca = await createTestCa();
});
afterAll(() => ca.remove());
beforeEach(async () => {
  dns = await startDnsServer();
  closing.push(() => dns.close());
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function listening(server: Server, address = '127.0.0.1'): Promise<number> {
  server.listen(0, address);
  await once(server, 'listening');
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const bound = server.address();
  return typeof bound === 'object' && bound ? bound.port : 0;
}

const http = (handle: RequestListener) => listening(createServer(handle));
const https = async (name: string, handle: RequestListener) =>
  listening(createTlsServer(await ca.issue(name), handle));

async function tcp(handle: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    handle(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const bound = server.address();
  return typeof bound === 'object' && bound ? bound.port : 0;
}

function client(options: Partial<Parameters<typeof testOutbound>[0]> = {}) {
  const made = testOutbound({ dns, ca, ...options });
  closing.push(() => made.outbound.close());
  return made;
}

const ok: RequestListener = (_request, response) => void response.end('{}');

describe('addresses', () => {
  test('names are resolved by the DNS servers that are configured', async () => {
    dns.set('a.test', { a: ['127.0.0.1'] });
    const port = await http((request, response) => response.end(request.headers.host));
    const answer = await client().get(`http://a.test:${port}/x?y=z`);
    expect(answer.status).toBe(200);
    expect(String(answer.body)).toBe(`a.test:${port}`);
  });

  test.each([
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '0177.0.0.1',
    '127.0.0.1.',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::127.0.0.1]',
    '[2002:7f00:1::]',
    '[64:ff9b::127.0.0.1]',
    'localhost',
    'x.localhost',
    '0.0.0.0',
    '[::]',
  ])('%s is refused before anything is sent', async (host) => {
    let asked = 0;
    const port = await http((request, response) => {
      asked++;
      ok(request, response);
    });
    const request = client({ whitelist: [] }).get(`http://${host}:${port}/`);
    await expect(request).rejects.toMatchObject({ kind: 'address-refused' });
    expect(asked).toBe(0);
    expect(dns.queries).toEqual([]);
  });

  test.each([
    [{ a: ['192.0.2.1', '127.0.0.1'] }],
    [{ a: ['127.0.0.1'], aaaa: ['fd00:0:0:0:0:0:0:1'] }],
    [{ a: ['127.0.0.1'], aaaa: ['0:0:0:0:0:ffff:a00:1'] }],
  ])('one address that is blocked refuses the whole name: %j', async (zone) => {
    dns.set('mixed.test', zone);
    const port = await http(ok);
    const request = client({ whitelist: ['127.0.0.0/8'] }).get(`http://mixed.test:${port}/`);
    await expect(request).rejects.toMatchObject({ kind: 'address-refused' });
  });

  test('a name that changes its addresses after the check gains nothing', async () => {
    // Each question is answered once with an allowed address, and then with a blocked one.
    dns.set('rebind.test', { a: ['127.0.0.1'], ttl: 0 });
    dns.onQuery((name, type) => {
      if (name === 'rebind.test' && type === 'A') dns.set(name, { a: ['127.0.0.2'], ttl: 0 });
    });
    const seen: (string | undefined)[] = [];
    const port = await listening(
      createServer((request, response) => {
        seen.push(request.socket.localAddress);
        response.shouldKeepAlive = false;
        response.end('{}');
      }),
      '0.0.0.0',
    );
    const { get } = client({ whitelist: ['127.0.0.1'] });
    await get(`http://rebind.test:${port}/`);
    await expect(get(`http://rebind.test:${port}/`)).rejects.toMatchObject({
      kind: 'address-refused',
    });
    expect(seen).toEqual(['127.0.0.1']);
  });

  test('a redirect to a blocked address is not followed', async () => {
    let asked = 0;
    const inner = await listening(
      createServer((request, response) => {
        asked++;
        ok(request, response);
      }),
      '127.0.0.2',
    );
    const port = await http((_request, response) =>
      response.writeHead(302, { location: `http://127.0.0.2:${inner}/` }).end(),
    );
    const { get } = client({ whitelist: ['127.0.0.1'] });
    const request = get(`http://127.0.0.1:${port}/`, { maxRedirects: 3 });
    await expect(request).rejects.toMatchObject({ kind: 'address-refused' });
    expect(asked).toBe(0);
  });

  test('URLs of the configuration file are exempt, where they redirect to is not', async () => {
    const inner = await listening(createServer(ok), '127.0.0.2');
    const port = await http((request, response) => {
      if (request.url === '/away') {
        response.writeHead(302, { location: `http://127.0.0.2:${inner}/` }).end();
      } else response.end('{}');
    });
    const { get } = client({ whitelist: [] });
    const url = `http://127.0.0.1:${port}/`;
    expect((await get(url, { configured: true })).status).toBe(200);
    // Its connection is kept, and not for others.
    await expect(get(url)).rejects.toMatchObject({ kind: 'address-refused' });
    const away = get(`${url}away`, { configured: true, maxRedirects: 1 });
    await expect(away).rejects.toMatchObject({ kind: 'address-refused' });
  });

  test('names in the hosts file count first, and it is read again when it has changed', async () => {
    const folder = await temporaryFolder();
    closing.push(folder.remove);
    const hostsFile = path.join(folder.path, 'hosts');
    await writeFile(hostsFile, '# a comment\n127.0.0.1\tOther.test known.test # more\n');
    dns.set('known.test', { a: ['192.0.2.1'] });
    const port = await http(ok);
    const { get } = client({ hostsFile });
    expect((await get(`http://known.test:${port}/`)).status).toBe(200);
    expect((await get(`http://other.test:${port}/`)).status).toBe(200);
    expect(dns.queries).toEqual([]);
    await writeFile(hostsFile, '127.0.0.1 other.test\n');
    await expect(get('http://known.test:1/')).rejects.toMatchObject({ kind: 'address-refused' });
    expect(dns.queries).toContain('A known.test');
  });

  test('the next address is tried when one does not take the connection', async () => {
    dns.set('two.test', { a: ['127.0.0.3', '127.0.0.1'], aaaa: ['0:0:0:0:0:0:0:1'] });
    const port = await http(ok);
    expect((await client().get(`http://two.test:${port}/`)).status).toBe(200);
  });
});

describe('DNS', () => {
  test('addresses are kept for as long as their TTL says', async () => {
    dns.set('ttl.test', { a: ['127.0.0.1'], ttl: 30 });
    const { resolver, clock } = client();
    const questions = () => dns.queries.filter((query) => query === 'A ttl.test').length;
    await resolver.addresses('ttl.test', 'logins');
    clock.advance(29_999);
    await resolver.addresses('TTL.test.', 'logins');
    expect(questions()).toBe(1);
    clock.advance(1);
    await resolver.addresses('ttl.test', 'logins');
    expect(questions()).toBe(2);
  });

  test('a name asked for by many at once is asked for once', async () => {
    dns.set('many.test', { a: ['127.0.0.1'], ttl: 0 });
    const { resolver } = client();
    await Promise.all(Array.from({ length: 50 }, () => resolver.addresses('many.test', 'logins')));
    expect(dns.queries.filter((query) => query === 'A many.test')).toHaveLength(1);
  });

  test.each([
    ['does not exist', undefined],
    ['has no addresses', {}],
    ['cannot be told', { failure: 'servfail' as const }],
  ])('a name that %s', async (_what, zone) => {
    if (zone) dns.set('none.test', zone);
    await expect(client().get('http://none.test/')).rejects.toMatchObject({
      kind: 'name-unresolved',
      message: expect.stringContaining('none.test'),
    });
  });

  test('a DNS server that says nothing does not hold a request beyond its time', async () => {
    dns.set('silent.test', { failure: 'silence' });
    const request = client().get('http://silent.test/', { timeout: 200 });
    await expect(request).rejects.toMatchObject({ kind: 'timeout' });
  });
});

describe('answers', () => {
  test.each([
    ['says so', 'length'],
    ['does not say so', 'chunks'],
    ['never ends', 'endless'],
  ])('one that is too long and %s is given up', async (_what, way) => {
    const port = await http((_request, response) => {
      if (way === 'length') response.end(Buffer.alloc(1001));
      else response.write(Buffer.alloc(600));
      const more = setInterval(() => response.write(Buffer.alloc(600)), 5);
      response.on('close', () => clearInterval(more));
      if (way === 'chunks') response.end(Buffer.alloc(600));
    });
    await expect(client().get(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({
      kind: 'too-large',
    });
  });

  test('one of just the length allowed is taken', async () => {
    const port = await http((_request, response) => response.end(Buffer.alloc(1000)));
    expect((await client().get(`http://127.0.0.1:${port}/`)).body).toHaveLength(1000);
  });

  test('a compressed one is refused: nobody asked for it', async () => {
    const port = await http((request, response) => {
      expect(request.headers['accept-encoding']).toBe('identity');
      response
        .writeHead(200, { 'content-encoding': 'gzip' })
        .end(gzipSync(Buffer.alloc(10_000_000)));
    });
    await expect(client().get(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({
      kind: expect.stringMatching(/^(protocol|too-large)$/),
    });
  });

  test.each([
    ['nothing at all', () => {}, 'timeout'],
    ['half a head', (socket: Socket) => socket.write('HTTP/1.1 200 OK\r\nA: b'), 'timeout'],
    [
      'half a body',
      (socket: Socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}'),
      'timeout',
    ],
    [
      'half a body and an end',
      (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}'),
      'unreachable',
    ],
    ['an end', (socket: Socket) => socket.end(), 'unreachable'],
    ['a reset', (socket: Socket) => socket.resetAndDestroy(), 'unreachable'],
    ['another language', (socket: Socket) => socket.end('220 hello\r\n'), 'protocol'],
    [
      'another protocol',
      (socket: Socket) =>
        socket.write('HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
      'protocol',
    ],
    [
      'headers without end',
      (socket: Socket) => socket.write(`HTTP/1.1 200 OK\r\nA: ${'b'.repeat(70_000)}\r\n\r\n`),
      'protocol',
    ],
    [
      'promises without end',
      (socket: Socket) => socket.write('HTTP/1.1 100 Continue\r\n\r\n'.repeat(100)),
      'protocol',
    ],
  ])('a server that answers with %s', async (_what, answer, kind) => {
    const port = await tcp((socket) => socket.once('data', () => answer(socket)));
    const request = client().get(`http://127.0.0.1:${port}/path?token=hush`, { timeout: 300 });
    await expect(request).rejects.toMatchObject({ name: 'OutboundError', kind });
    await expect(request).rejects.not.toThrow(/hush|path/);
  });

  test('a port where nobody listens', async () => {
    await expect(client().get('http://127.0.0.1:1/')).rejects.toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining('127.0.0.1'),
    });
  });
});

describe('redirects', () => {
  const redirecting = (location: string, status = 302) =>
    http((request, response) => {
      if (request.url === '/end') response.end('end');
      else response.writeHead(status, { location }).end();
    });

  test('are answered as they are when not asked to be followed', async () => {
    const port = await redirecting('/end');
    expect(await client().get(`http://127.0.0.1:${port}/`)).toMatchObject({
      status: 302,
      headers: { location: '/end' },
    });
  });

  test.each([301, 302, 303, 307, 308])('%i is followed', async (status) => {
    const port = await redirecting('/end', status);
    const answer = await client().get(`http://127.0.0.1:${port}/`, { maxRedirects: 1 });
    expect(String(answer.body)).toBe('end');
  });

  test('in a circle end', async () => {
    const port = await redirecting('/again');
    const request = client().get(`http://127.0.0.1:${port}/`, { maxRedirects: 5 });
    await expect(request).rejects.toMatchObject({ kind: 'redirects' });
  });

  test.each([
    'http://plain.test/',
    'ftp://x/',
    'file:///etc/passwd',
    'https://u:p@a.test/',
    'http://',
  ])('from https to %s is not followed', async (location) => {
    const port = await https('localhost', (_request, response) =>
      response.writeHead(302, { location }).end(),
    );
    const request = client().get(`https://localhost:${port}/`, { maxRedirects: 3 });
    await expect(request).rejects.toMatchObject({ kind: 'redirects' });
  });

  test('headers meant for one host are not told to another', async () => {
    let seen: unknown;
    const other = await http((request, response) => {
      seen = request.headers['x-secret'];
      response.end('end');
    });
    const port = await redirecting(`http://127.0.0.1:${other}/`);
    await client().get(`http://127.0.0.1:${port}/`, {
      maxRedirects: 1,
      headers: { 'x-secret': 'hush' },
    });
    expect(seen).toBeUndefined();
  });
});

describe('certificates', () => {
  test('are verified by chain and host name', async () => {
    const right = await https('localhost', ok);
    const wrong = await https('other.test', ok);
    const { get } = client();
    expect((await get(`https://localhost:${right}/`)).status).toBe(200);
    await expect(get(`https://localhost:${wrong}/`)).rejects.toMatchObject({ kind: 'tls' });
    const { get: distrusting } = client({ ca: undefined });
    await expect(distrusting(`https://localhost:${right}/`)).rejects.toMatchObject({ kind: 'tls' });
  });

  test('past their time are refused', async () => {
    const expired = await ca.issueExpired('localhost');
    const port = await listening(createTlsServer(expired, ok));
    await expect(client().get(`https://localhost:${port}/`)).rejects.toMatchObject({ kind: 'tls' });
  });

  test('of an IP address are verified too', async () => {
    const right = await https('127.0.0.1', ok);
    const wrong = await https('127.0.0.2', ok);
    const { get } = client();
    expect((await get(`https://127.0.0.1:${right}/`)).status).toBe(200);
    await expect(get(`https://127.0.0.1:${wrong}/`)).rejects.toMatchObject({ kind: 'tls' });
  });

  test('do not matter where that is asked for, and that connection is nobody else’s', async () => {
    const port = await https('other.test', ok);
    const { get } = client({ ca: undefined });
    const url = `https://localhost:${port}/`;
    expect((await get(url, { anyCertificate: true })).status).toBe(200);
    await expect(get(url)).rejects.toMatchObject({ kind: 'tls' });
  });

  test('a server that speaks no TLS', async () => {
    const port = await http(ok);
    await expect(client().get(`https://localhost:${port}/`)).rejects.toMatchObject({ kind: 'tls' });
  });
});

describe('connections', () => {
  test('are kept for the next request', async () => {
    const ports = new Set<number | undefined>();
    const port = await http((request, response) => {
      ports.add(request.socket.remotePort);
      response.end('{}');
    });
    const { get } = client();
    for (let i = 0; i < 5; i++) await get(`http://127.0.0.1:${port}/`);
    expect(ports.size).toBe(1);
  });

  test('that nobody uses are closed', async () => {
    let open = 0;
    const sockets = await Promise.all(
      [1, 2, 3].map(() => {
        const server = createServer(ok);
        server.on('connection', (socket) => {
          open++;
          socket.on('close', () => open--);
        });
        return listening(server);
      }),
    );
    const idle = { perHost: 5, overall: 2, timeout: 400 };
    const { get } = client({ limits: { idle } });
    for (const port of sockets) await get(`http://127.0.0.1:${port}/`);
    await expect.poll(() => open).toBe(2);
    // What is left is of the hosts asked last.
    for (const port of sockets.slice(1)) await get(`http://127.0.0.1:${port}/`);
    expect(open).toBe(2);
    await expect.poll(() => open).toBe(0);
  });

  test('that wait for an answer are in use, however long', async () => {
    const port = await http((_request, response) => {
      setTimeout(() => response.end('{}'), 300);
    });
    const { get } = client({ limits: { idle: { perHost: 2, overall: 2, timeout: 100 } } });
    for (let i = 0; i < 2; i++) expect((await get(`http://127.0.0.1:${port}/`)).status).toBe(200);
  });

  test('of one host are kept so many at most', async () => {
    let open = 0;
    const server = createServer(ok);
    server.on('connection', (socket) => {
      open++;
      socket.on('close', () => open--);
    });
    const port = await listening(server);
    const { get } = client({ limits: { idle: { perHost: 2, overall: 100, timeout: 5000 } } });
    await Promise.all([1, 2, 3, 4, 5].map(() => get(`http://127.0.0.1:${port}/`)));
    await expect.poll(() => open).toBe(2);
  });

  test('a POST has one of its own', async () => {
    const ports: (number | undefined)[] = [];
    const port = await http((request, response) => {
      ports.push(request.socket.remotePort);
      response.end('{}');
    });
    const { get } = client();
    await get(`http://127.0.0.1:${port}/`);
    for (let i = 0; i < 2; i++) {
      await get(`http://127.0.0.1:${port}/`, { method: 'POST', body: '{}' });
    }
    expect(new Set(ports).size).toBe(3);
  });

  test('one that the server closed meanwhile is replaced', async () => {
    let count = 0;
    const port = await tcp((socket) =>
      socket.on('data', () => {
        // The second request on a connection finds it closed.
        if (count++ % 2 === 0) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
        else socket.resetAndDestroy();
      }),
    );
    const { get } = client();
    await get(`http://127.0.0.1:${port}/`);
    expect((await get(`http://127.0.0.1:${port}/`)).status).toBe(200);
    expect(count).toBe(3);
  });

  test('to one host are few, and the queue behind them ends', async () => {
    const waiting: (() => void)[] = [];
    let most = 0;
    let open = 0;
    const server = createServer(
      (_request, response) => void waiting.push(() => response.end('{}')),
    );
    server.on('connection', (socket) => {
      most = Math.max(most, ++open);
      socket.on('close', () => open--);
    });
    const port = await listening(server);
    const { get, metrics } = client({
      limits: { rooms: { logins: { perHost: 3, waiting: 5 } } },
    });
    const results = Array.from({ length: 20 }, () => get(`http://127.0.0.1:${port}/`));
    const outcomes = Promise.allSettled(results);
    const answering = setInterval(() => waiting.shift()?.(), 5);
    const settled = await outcomes;
    clearInterval(answering);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(8);
    for (const result of settled) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ kind: 'overloaded' });
    }
    expect(most).toBe(3);
    // The others are not kept waiting by one that is slow.
    const other = await http(ok);
    expect((await get(`http://127.0.0.1:${other}/`)).status).toBe(200);
    const text = await metrics.registry.metrics();
    expect(text).toContain('cognomen_outbound_requests_total{outcome="overloaded"} 12');
    expect(text).toContain('cognomen_outbound_requests_total{outcome="answered"} 9');
  });

  test('waiting for one counts in the time that a request has', async () => {
    const port = await http(() => {});
    const { get } = client({
      limits: { rooms: { logins: { perHost: 1, waiting: 5 } } },
    });
    const url = `http://127.0.0.1:${port}/`;
    const first = get(url, { timeout: 400 });
    const second = get(url, { timeout: 100 });
    await expect(second).rejects.toMatchObject({ kind: 'overloaded' });
    await expect(first).rejects.toMatchObject({ kind: 'timeout' });
  });

  test('closing gives up what is under way', async () => {
    const arrived = Promise.withResolvers<void>();
    const port = await http(() => arrived.resolve());
    const { get, outbound } = client();
    const request = get(`http://127.0.0.1:${port}/`);
    const failed = expect(request).rejects.toMatchObject({ kind: 'unreachable' });
    await arrived.promise;
    await outbound.close();
    await failed;
  });
});
