import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../support/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const LIMIT = 30_000;

test('heads, bodies and silence end after half a minute, wherever', {
  timeout: 60_000,
}, async () => {
  const head = 'POST /_matrix/identity/internal/bind HTTP/1.1\r\nHost: x\r\n';
  const { client, internal, metrics } = server.app.addresses;
  const all = [client, internal, metrics].flatMap((listener) =>
    [`${head}X: `, `${head}Content-Length: 100000\r\n\r\n`, ''].map(async (text) => {
      const socket = connect(listener?.port ?? 0, '127.0.0.1').on('error', () => {});
      await once(socket, 'connect');
      const began = performance.now();
      socket.resume().write(text);
      const drip = setInterval(() => text !== '' && socket.write('1'), 1000);
      await new Promise((resolve) => socket.once('close', resolve));
      clearInterval(drip);
      return performance.now() - began;
    }),
  );
  for (const took of await Promise.all(all)) {
    expect(took).toBeGreaterThan(LIMIT - 1000);
    expect(took).toBeLessThan(LIMIT + 3000);
  }
});
