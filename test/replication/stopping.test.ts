import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bind } from '../support/mesh.ts';
import { createMeshProcess, type MeshProcess } from '../support/mesh-process.ts';
import { type StandInPeer, startStandInPeer } from '../support/standin-peer.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

let ca: TestCa;
let server: MeshProcess;
let silent: StandInPeer;

beforeAll(async () => {
  ca = await createTestCa();
  server = await createMeshProcess(ca, 'a.test');
  silent = await startStandInPeer({ ca, name: 'silent.test', pusher: server, silent: true });
  await server.start();
});
afterAll(async () => {
  await server?.remove();
  await silent?.close();
  await ca?.remove();
});

test('a server stops at once, whatever hangs: a push, and connections that ask for nothing', async () => {
  await server.peers('add', 'silent.test', '--key', server.publicKey, '--url', silent.url);
  await bind(server, 'ada@sample.test', '@ada:a.test');
  await expect.poll(() => silent.count(), { timeout: 5000 }).toBe(1);

  const host = '127.0.0.1';
  const portOf = (url: string) => Number(new URL(url).port);
  const port = portOf(server.replicationUrl);
  const sockets: Socket[] = [
    connect({ host, port: portOf(server.url) }),
    connect({ host, port: portOf(server.url) }),
    connect({ host, port }),
  ];
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  sockets[0]?.write('POST /_matrix/identity/v2/lookup HTTP/1.1\r\nhost: a.test\r\n');
  const tls = connectTls({ host, port, ca: ca.pem, ...(await ca.issue('stranger.test')) });
  await once(tls, 'secureConnect');

  const closed = [...sockets, tls].map(
    // Whether by an end or a reset.
    (socket) =>
      new Promise((resolve) =>
        socket
          .on('error', () => {})
          .on('close', resolve)
          .resume(),
      ),
  );
  expect(await server.process().stop('SIGTERM')).toBe(0);
  await Promise.all(closed);
  expect(server.process().log()).toContain('"Stopped"');
  expect(server.process().log()).not.toMatch(/still under way|handshake timeout/);
});
