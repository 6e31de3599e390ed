import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RoomName } from '../../src/platform/outbound/room.ts';
import { startDnsServer, type TestDnsServer } from '../support/dns-server.ts';
import { testOutbound } from '../support/outbound.ts';
import { type SilentServer, startSilentServer } from '../support/silent.ts';

let dns: TestDnsServer;
let silent: SilentServer;
const closing: (() => unknown)[] = [];
beforeEach(async () => {
  dns = await startDnsServer();
  closing.push(() => dns.close());
  silent = await startSilentServer();
  closing.push(() => silent.close());
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function client(options: Partial<Parameters<typeof testOutbound>[0]> = {}) {
  const made = testOutbound({ dns, ...options });
  closing.push(() => made.outbound.close());
  return made;
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const bound = server.address();
  return typeof bound === 'object' && bound ? bound.port : 0;
}
const http = (handle: RequestListener) => listening(createServer(handle));
const ok: RequestListener = (_request, response) => void response.end('{}');

/** One of very many servers that do not answer. */
const slowUrl = (index: number) =>
  `http://127.1.${Math.floor(index / 250)}.${1 + (index % 250)}:${silent.port}/`;

/** Whether it failed, and of what, by now. */
function watched(promise: Promise<unknown>) {
  const state: { kind?: string | undefined } = {};
  promise.then(
    () => {
      state.kind = 'answered';
    },
    (error) => {
      state.kind = error.kind;
    },
  );
  return state;
}

describe('a room', () => {
  test('that is full takes nothing of another', async () => {
    const { get, metrics } = client({
      limits: { rooms: { logins: { places: 3 }, keys: { places: 3 } } },
    });
    const port = await http(ok);
    for (let index = 0; index < 6; index++) {
      watched(get(slowUrl(index), { room: index % 2 ? 'logins' : 'keys' }));
    }
    await expect.poll(() => silent.open).toBe(6);
    const rooms: RoomName[] = ['configured', 'notices'];
    for (const room of rooms) {
      expect((await get(`http://127.0.0.1:${port}/`, { room })).status).toBe(200);
    }
    expect(silent.open).toBe(6);
    const text = await metrics.registry.metrics();
    expect(text).toContain('cognomen_outbound_places_in_use{room="logins"} 3');
    expect(text).toContain('cognomen_outbound_places_in_use{room="keys"} 3');
    expect(text).toContain('cognomen_outbound_places_in_use{room="configured"} 0');
    expect(text).toContain('cognomen_outbound_waiting{room="logins"} 0');
  });

  test('that is full gives the place of whoever has had one for longest to whoever comes', async () => {
    const { get } = client({ limits: { rooms: { logins: { places: 3 } } } });
    const slow: ReturnType<typeof watched>[] = [];
    for (let index = 0; index < 5; index++) slow.push(watched(get(slowUrl(index))));
    await expect.poll(() => silent.connections).toBeGreaterThanOrEqual(3);
    await expect
      .poll(() => slow.map(({ kind }) => kind))
      .toEqual(['overloaded', 'overloaded', undefined, undefined, undefined]);
    const port = await http(ok);
    expect((await get(`http://127.0.0.1:${port}/`)).status).toBe(200);
    await expect.poll(() => slow[2]?.kind).toBe('overloaded');
    expect(slow[3]?.kind).toBeUndefined();
  });

  test('lets in who waits as places become free, and makes nobody else leave for them', async () => {
    const held: (() => void)[] = [];
    const port = await http((_request, response) => void held.push(() => response.end('{}')));
    const { get, metrics } = client({ limits: { rooms: { logins: { places: 3, perHost: 2 } } } });
    const url = `http://127.0.0.1:${port}/`;
    const requests = [1, 2, 3, 4].map(() => watched(get(url)));
    await expect.poll(() => held.length).toBe(2);
    expect(await metrics.registry.metrics()).toContain(
      'cognomen_outbound_waiting{room="logins"} 2',
    );
    // One of the two gives way: nobody who waits takes its place, or that of those who came.
    const others = [0, 1].map((index) => watched(get(slowUrl(index))));
    await expect.poll(() => silent.open).toBe(2);
    expect(requests.map(({ kind }) => kind)).toEqual([
      'overloaded',
      undefined,
      undefined,
      undefined,
    ]);
    held[1]?.();
    await expect.poll(() => held.length).toBe(3);
    held[2]?.();
    await expect.poll(() => held.length).toBe(4);
    held[3]?.();
    await expect
      .poll(() => requests.map(({ kind }) => kind))
      .toEqual(['overloaded', 'answered', 'answered', 'answered']);
    expect(others.map(({ kind }) => kind)).toEqual([undefined, undefined]);
    expect(await metrics.registry.metrics()).toContain(
      'cognomen_outbound_waiting{room="logins"} 0',
    );
  });

  test('has nobody wait for ever', async () => {
    const limits = { rooms: { logins: { perHost: 1, patience: 100 } } };
    const { get } = client({ limits });
    const first = watched(get(slowUrl(0)));
    await expect(get(slowUrl(0))).rejects.toMatchObject({
      kind: 'overloaded',
      afterSending: false,
    });
    expect(first.kind).toBeUndefined();
  });

  test('holds out against more than it has places for of servers that do not answer', async () => {
    const port = await http(ok);
    const { get } = client({ limits: { rooms: { logins: { places: 100 } } } });
    const slow = Array.from({ length: 1000 }, (_, index) => watched(get(slowUrl(index))));
    await expect.poll(() => silent.connections).toBeGreaterThanOrEqual(100);
    const requests = Array.from({ length: 20 }, () => get(`http://127.0.0.1:${port}/`));
    for (const { status } of await Promise.all(requests)) expect(status).toBe(200);
    expect(slow.filter(({ kind }) => kind === undefined).length).toBeGreaterThanOrEqual(80);
  });

  test('of names to look up holds out against more than it has places for', async () => {
    dns.set('honest.test', { a: ['127.0.0.1'] });
    const names = Array.from({ length: 800 }, (_, index) => `s${index}.test`);
    for (const name of names) dns.set(name, { failure: 'silence' });
    const port = await http(ok);
    const { get } = client({ limits: { rooms: { logins: { places: 2000 } } } });
    const slow = names.map((name) => watched(get(`http://${name}/`)));
    await expect.poll(() => slow.filter(({ kind }) => kind === 'overloaded').length).toBe(300);
    // The questions that fit into the socket of the DNS server have left it.
    await expect.poll(() => dns.queries.length).toBeGreaterThan(0);
    expect((await get(`http://honest.test:${port}/`)).status).toBe(200);
  });
});

describe('a server that does not', () => {
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
  const failure = { kind: 'timeout', afterSending: true };

  test('come to a connection in time is given up before anything is sent', async () => {
    const { get } = client({ limits: { connect: 200 } });
    await expect(get(`https://127.0.0.1:${silent.port}/`)).rejects.toMatchObject({
      kind: 'unreachable',
      afterSending: false,
    });
  });

  test('have its name told in time is given up, too', async () => {
    dns.set('silent.test', { failure: 'silence' });
    const { get } = client({ limits: { connect: 200 } });
    await expect(get('http://silent.test/')).rejects.toMatchObject({ afterSending: false });
  });

  test('take a connection at one of its addresses does at the next, in the same time', async () => {
    dns.set('two.test', { a: ['127.0.0.3', '127.0.0.2'] });
    const { get } = client({ limits: { connect: 1500 } });
    // At the first address TLS never comes about; at the second nobody listens.
    await expect(get(`https://two.test:${silent.port}/`)).rejects.toMatchObject({
      kind: 'unreachable',
    });
    expect(silent.connections).toBe(2);
  });

  test('begin its answer in time is given up', async () => {
    const port = await http(() => {});
    const { get } = client();
    const time = { answer: 200, total: 60_000 };
    await expect(get(`http://127.0.0.1:${port}/`, { time })).rejects.toMatchObject(failure);
    // Its time begins with the connection, also with one that is there already.
    let asked = 0;
    const once = await http((_request, response) => void (asked++ === 0 && response.end('{}')));
    await get(`http://127.0.0.1:${once}/`);
    await expect(get(`http://127.0.0.1:${once}/`, { time })).rejects.toMatchObject(failure);
  });

  test.each([
    ['head', 'HTTP/1.1 200 OK\r\nX-A: '],
    ['body', 'HTTP/1.1 200 OK\r\n\r\n'],
  ])(
    'come to an end of its %s has no place for longer than the whole time',
    async (_what, begin) => {
      const port = await tcp((socket) => {
        socket.write(begin);
        const drip = setInterval(() => socket.write('a'), 20);
        socket.on('close', () => clearInterval(drip));
      });
      const { get } = client();
      const time = { answer: 300, total: 600 };
      await expect(get(`http://127.0.0.1:${port}/`, { time })).rejects.toMatchObject(failure);
    },
  );

  test('come to an end of redirects has no place for longer than the whole time', async () => {
    const port = await http((_request, response) => {
      setTimeout(() => response.writeHead(302, { location: '/' }).end(), 50);
    });
    const { get } = client();
    const time = { answer: 300, total: 600 };
    const request = get(`http://127.0.0.1:${port}/`, { time, maxRedirects: 100 });
    await expect(request).rejects.toMatchObject({ kind: 'timeout' });
  });
});
