import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDnsServer, type TestDnsServer } from '../support/dns-server.ts';
import { testOutbound } from '../support/outbound.ts';

/** What answers are made of. */
const PIECES = [
  'HTTP/1.1 ',
  'HTTP/2.0 200',
  'PRI * HTTP/2.0',
  '200',
  ' OK',
  '101 x',
  '100 Continue',
  '204',
  '302',
  '304',
  '\r\n',
  '\r\n\r\n',
  '\n',
  ' ',
  ':',
  '\0',
  '{}',
  'abcde',
  '5\r\nabcde\r\n',
  'F\r\n',
  'Content-Length: ',
  '5',
  '-1',
  '99999999999999999999',
  '5, 5',
  'Content-Encoding: gzip',
  'Transfer-Encoding: chunked',
  'chunked, gzip',
  '0\r\n\r\n',
  'Connection: upgrade',
  ...[
    'Upgrade: websocket',
    'Connection: close',
    'Keep-Alive: timeout=0',
    'Location: ',
    'http://[',
    '/',
  ],
];
const ENDS: readonly ((socket: Socket) => unknown)[] = [
  () => {},
  (socket) => socket.end(),
  (socket) => socket.destroy(),
  (socket) => socket.resetAndDestroy(),
];

let dns: TestDnsServer;
beforeAll(async () => {
  dns = await startDnsServer();
});
afterAll(() => dns.close());

test('whatever a server sends, a request ends in time, in an answer or an OutboundError', async () => {
  let answer = (_socket: Socket) => {};
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => answer(socket));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const { get, outbound } = testOutbound({ dns });

  const pieces = fc.array(fc.constantFrom(...PIECES), { maxLength: 14 });
  await fc.assert(
    fc.asyncProperty(pieces, fc.boolean(), fc.constantFrom(...ENDS), async (list, head, end) => {
      answer = (socket) => {
        if (head) socket.write('HTTP/1.1 200 OK\r\n');
        for (const piece of list) socket.write(piece);
        end(socket);
      };
      const asked = get(`http://127.0.0.1:${port}/`, { timeout: 60, maxRedirects: 2 });
      const outcome = await asked.then(
        () => 'answered',
        (error) => error.name,
      );
      expect(['answered', 'OutboundError']).toContain(outcome);
    }),
    { numRuns: 300 },
  );
  await outbound.close();
  server.close();
});
