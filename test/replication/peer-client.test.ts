import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createPeerClient } from '../../src/replication/peer-client.ts';
import { startDnsServer, type TestDnsServer } from '../support/dns-server.ts';
import { testOutbound } from '../support/outbound.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

let ca: TestCa;
let dns: TestDnsServer;
beforeAll(async () => {
  ca = await createTestCa();
  dns = await startDnsServer();
});
afterAll(async () => {
  await dns.close();
  await ca.remove();
});

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A peer that answers so, with a certificate for `localhost`; its port. */
async function startPeer(
  answer: RequestListener,
  limits: Parameters<typeof testOutbound>[0]['limits'] = {},
) {
  const own = await ca.issue('localhost');
  const server: Server = createServer(own, answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { outbound } = testOutbound({ dns, limits });
  closing.push(() => {
    server.close();
    server.closeAllConnections();
    return outbound.close();
  });
  const client = createPeerClient(outbound, { key: own.key, cert: own.cert, ca: [ca.pem] });
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const push = (user = '', scheme = 'https') =>
    client.push(`${scheme}://${user}localhost:${port}/push`, '{}', AbortSignal.timeout(10_000));
  return { server, push };
}

test('the user of a peer’s URL is told to the peer, and to nobody else', async () => {
  const seen: (string | undefined)[] = [];
  const { push } = await startPeer((request, response) => {
    seen.push(request.headers.authorization, request.url);
    response.end('{}');
  });
  expect(await push('us%3Aer:w%C3%B6rd@')).toEqual({ kind: 'accepted' });
  expect(await push()).toEqual({ kind: 'accepted' });
  expect(await push('us%er@')).toEqual({ kind: 'accepted' });
  const basic = `Basic ${Buffer.from('us:er:wörd').toString('base64')}`;
  const odd = `Basic ${Buffer.from('us%er:').toString('base64')}`;
  expect(seen).toEqual([basic, '/push', undefined, '/push', odd, '/push']);
});

test.each([
  [200, 'accepted'],
  [413, 'too-large'],
])('the status %d alone says %s, whatever body comes with it', async (status, kind) => {
  let body = Buffer.alloc(300 * 1024, 'x');
  let headers = {};
  const { push } = await startPeer((_request, response) => {
    response.writeHead(status, headers).end(body);
  });
  expect((await push()).kind).toBe(kind);
  body = gzipSync('{}');
  headers = { 'content-encoding': 'gzip' };
  expect((await push()).kind).toBe(kind);
});

test('a peer may take longer to connect than other servers', async () => {
  const { push } = await startPeer((_request, response) => void response.end('{}'), {
    connect: 1,
  });
  expect(await push()).toEqual({ kind: 'accepted' });
});

test('nothing goes to a peer without TLS', async () => {
  const { push, server } = await startPeer((_request, response) => void response.end('{}'));
  let connections = 0;
  server.on('connection', () => connections++);
  expect(await push('', 'http')).toMatchObject({
    kind: 'failed',
    reason: expect.stringContaining('does not begin with https://'),
  });
  expect(connections).toBe(0);
});
