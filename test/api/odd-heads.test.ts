import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../support/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

/** The whole of what the listener says to these bytes. */
async function answerTo(listener: 'client' | 'internal' | 'metrics', bytes: string) {
  const socket = connect(server.app.addresses[listener]?.port ?? 0, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(bytes);
  return text(socket);
}

describe.each(['client', 'internal', 'metrics'] as const)('the %s listener', (listener) => {
  test.each([
    ['an expectation nobody knows', 'GET / HTTP/1.1\r\nHost: x\r\nExpect: a miracle\r\n', 417],
    ['a proxy’s method', 'CONNECT id.test:443 HTTP/1.1\r\nHost: x\r\n', 405],
    ['what is not HTTP', 'nonsense\r\n', 400],
    ['a request without a Host', 'GET /metrics HTTP/1.1\r\n', 400],
    ['headers without end', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n`, 431],
  ])('answers %s in JSON', async (_what, head, status) => {
    const [answered = '', body = ''] = (
      await answerTo(listener, `${head}Connection: close\r\n\r\n`)
    ).split('\r\n\r\n');
    expect(answered).toMatch(`HTTP/1.1 ${status} `);
    expect(answered.toLowerCase()).toContain('content-type: application/json');
    expect(answered.includes('access-control-allow-origin: *')).toBe(listener === 'client');
    expect(JSON.parse(body)).toEqual({
      errcode: expect.stringMatching(/^M_/),
      error: expect.any(String),
    });
  });
});
