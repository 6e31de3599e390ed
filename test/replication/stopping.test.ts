import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../support/databases.ts';
import { spawnCognomen, writeConfig } from '../support/process.ts';
import {
  createReplicatingProcess,
  type ReplicatingProcess,
} from '../support/replicating-process.ts';
import { bind } from '../support/replicating-servers.ts';
import { type StandInPeer, startStandInPeer } from '../support/standin-peer.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

let ca: TestCa;
let server: ReplicatingProcess;
let silent: StandInPeer;

beforeAll(async () => {
  ca = await createTestCa();
  server = await createReplicatingProcess(ca, 'a.test');
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
  await expect.poll(() => silent.count()).toBe(1);

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

test('a stop waits for a request that comes in, and not for one that never ends', async () => {
  const folder = await temporaryFolder();
  const { ports } = await writeConfig(folder.path);
  const running = spawnCognomen([], { cwd: folder.path });
  try {
    await running.untilLogged('Ready');
    const open = async (port: number) => {
      const socket = connect({ host: '127.0.0.1', port }).on('error', () => {});
      await once(socket, 'connect');
      return socket;
    };
    const head = (path: string, length: number) =>
      `POST /_matrix/identity/${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;
    const body = await open(ports.client);
    body.write(`${head('api/v1/validate/email/submitToken', 100_000)}x`);
    const inside = await open(ports.internal);
    inside.write(`${head('internal/bind', 100_000)}{`);
    const kept = await open(ports.client);
    kept.write('GET /_matrix/identity/v2 HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(kept, 'data');
    kept.write('GET /_matrix/identity/v2 HTTP/1.1\r\nHost: x\r\nX: ');
    const text = JSON.stringify({ medium: 'email', address: 'a@b.test', mxid: '@a:b.test' });
    const honest = await open(ports.internal);
    honest.write(head('internal/bind', text.length) + text.slice(0, -1));
    // Answered after all of the above has been read.
    const last = await open(ports.client);
    last.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(last, 'data');

    const drip = setInterval(() => {
      for (const socket of [body, inside, kept]) if (socket.writable) socket.write('1');
    }, 50);
    const began = performance.now();
    const ended = running.stop('SIGTERM');
    await running.untilLogged('Stopping');
    const answered = once(honest, 'data');
    honest.write(text.slice(-1));
    expect(String((await answered)[0])).toMatch(/^HTTP\/1\.1 200 /);
    expect(await ended).toBe(0);
    clearInterval(drip);
    expect(performance.now() - began).toBeLessThan(8000);
    expect(running.log()).toContain('"Stopped"');
    expect(running.log()).not.toContain('still under way');
  } finally {
    await running.stop('SIGKILL');
    await folder.remove();
  }
});
