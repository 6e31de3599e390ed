import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { orderRecords } from '../../src/homeservers/discovery.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { startDnsServer, type TestDnsServer } from '../support/dns-server.ts';
import {
  answerJson,
  type Script,
  startHomeserver,
  type TestHomeserver,
} from '../support/homeserver.ts';
import { testHomeservers } from '../support/outbound.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const WELL_KNOWN = '/.well-known/matrix/server';
const HOUR = 60 * 60 * 1000;

let ca: TestCa;
let dns: TestDnsServer;
/** Answers on the ports that stand for 443 and 8448. */
let web: TestHomeserver;
let hs: TestHomeserver;
/** The homeserver that is delegated to. */
let delegate: TestHomeserver;
let made: ReturnType<typeof testHomeservers>;

beforeAll(async () => {
  ca = await createTestCa();
  web = await startHomeserver({ ca, host: 'example.test' });
  hs = await startHomeserver({ ca, host: 'example.test' });
  delegate = await startHomeserver({ ca, host: 'matrix.test' });
});
afterAll(async () => {
  for (const server of [web, hs, delegate]) await server.close();
  await ca.remove();
});
beforeEach(async () => {
  dns = await startDnsServer({
    'example.test': { a: ['127.0.0.1'] },
    'matrix.test': { a: ['127.0.0.1'] },
  });
  made = testHomeservers({ dns, ca, ports: { 443: web.port, 8448: hs.port } });
});
afterEach(async () => {
  for (const server of [web, hs, delegate]) {
    server.script('/', undefined);
    (server.requests as unknown[]).length = 0;
  }
  await made.outbound.close();
  await dns.close();
});

const ask = (serverName: string, timeout = 5000) =>
  made.federation.request({
    method: 'GET',
    serverName,
    path: '/_matrix/federation/v1/version?x=y',
    room: 'logins',
    time: { answer: timeout, total: timeout },
    maxBytes: 1000,
  });

/** The well-known file is answered so; it is asked for as often as `fetches` says. */
function wellKnown(content: unknown, headers: Record<string, string> = {}, status = 200): void {
  web.script('/', (_request, response) =>
    response
      .writeHead(status, headers)
      .end(typeof content === 'string' ? content : JSON.stringify(content)),
  );
}
const fetches = () => web.requests.filter(({ url }) => url === WELL_KNOWN).length;

const arrived = (server: TestHomeserver) =>
  server.requests
    .filter(({ url }) => url !== WELL_KNOWN)
    .map(({ headers, sni }) => ({ host: headers.host, sni }));

describe('a name that says where it is', () => {
  test('with a port: no discovery', async () => {
    await ask(`Example.Test:${hs.port}`);
    expect(arrived(hs)).toEqual([{ host: `example.test:${hs.port}`, sni: 'example.test' }]);
    expect(fetches()).toBe(0);
    expect(dns.queries.filter((query) => query.startsWith('SRV'))).toEqual([]);
  });

  test('an IP address: port 8448 unless it has one, the certificate is for the address', async () => {
    const byAddress = await startHomeserver({ ca, host: '127.0.0.1' });
    await made.outbound.close();
    made = testHomeservers({ dns, ca, ports: { 443: web.port, 8448: byAddress.port } });
    await ask('127.0.0.1');
    await ask(`127.0.0.1:${byAddress.port}`);
    expect(arrived(byAddress)).toEqual([
      { host: '127.0.0.1', sni: false },
      { host: `127.0.0.1:${byAddress.port}`, sni: false },
    ]);
    await expect(ask(`127.0.0.1:${hs.port}`)).rejects.toMatchObject({ kind: 'tls' });
    await expect(ask('[::1]')).rejects.toMatchObject({ kind: 'unreachable' });
    expect(dns.queries).toEqual([]);
    await byAddress.close();
  });

  test.each([
    '2130706433',
    '127.1',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '127.0.0.01',
    '127.0.0.1.',
    '1.2.3.4.5',
  ])('%s is not how an IP address is written', async (name) => {
    await expect(ask(name)).rejects.toMatchObject({ kind: 'address-refused' });
    await expect(ask(`${name}:${hs.port}`)).rejects.toMatchObject({ kind: 'address-refused' });
    expect(dns.queries).toEqual([]);
  });

  test.each([
    '',
    'a b',
    'x/y',
    'user@example.test',
    'example.test:',
    'example.test:99999',
    'example.test:0',
    'example.test:04242',
    '127.0.0.1:0',
    '[::1]:08448',
    '[::1',
    'a#b',
    'ex%61mple.test',
  ])('%j is not a name that can be connected to', async (name) => {
    await expect(ask(name)).rejects.toMatchObject({ kind: 'name-unresolved' });
    expect(dns.queries).toEqual([]);
  });
});

describe('a well-known file', () => {
  test('delegates to a name with a port', async () => {
    wellKnown({ 'm.server': `Matrix.test:${delegate.port}` });
    await ask('example.test');
    expect(arrived(delegate)).toEqual([
      { host: `matrix.test:${delegate.port}`, sni: 'matrix.test' },
    ]);
    expect(web.requests[0]).toMatchObject({ url: WELL_KNOWN, headers: { host: 'example.test' } });
  });

  test('delegates to a name whose SRV records are asked for', async () => {
    wellKnown({ 'm.server': 'matrix.test' });
    dns.set('_matrix-fed._tcp.matrix.test', {
      srv: [{ port: delegate.port, target: 'host.test' }],
    });
    dns.set('host.test', { a: ['127.0.0.1'] });
    await ask('example.test');
    // The certificate and the Host header are of the delegate, not of the target.
    expect(arrived(delegate)).toEqual([{ host: 'matrix.test', sni: 'matrix.test' }]);
  });

  test('delegates to a name without SRV records: its port 8448', async () => {
    wellKnown({ 'm.server': 'matrix.test' });
    await made.outbound.close();
    made = testHomeservers({ dns, ca, ports: { 443: web.port, 8448: delegate.port } });
    await ask('example.test');
    expect(arrived(delegate)).toEqual([{ host: 'matrix.test', sni: 'matrix.test' }]);
    expect(web.requests.map(({ url }) => url)).toEqual([WELL_KNOWN]);
  });

  test('delegates to an IP address', async () => {
    const byAddress = await startHomeserver({ ca, host: '127.0.0.1' });
    wellKnown({ 'm.server': `127.0.0.1:${byAddress.port}` });
    await ask('example.test');
    expect(arrived(byAddress)).toEqual([{ host: `127.0.0.1:${byAddress.port}`, sni: false }]);
    await byAddress.close();
  });

  test('is found behind redirects', async () => {
    web.script('/', ({ url }, response) =>
      url === '/2'
        ? response.end(JSON.stringify({ 'm.server': `matrix.test:${delegate.port}` }))
        : response.writeHead(301, { location: url === WELL_KNOWN ? '/1' : '/2' }).end(),
    );
    await ask('example.test');
    expect(arrived(delegate)).toHaveLength(1);
  });

  test.each<[string, () => void]>([
    ['is not there', () => wellKnown({}, {}, 404)],
    ['is not JSON', () => wellKnown('<html>')],
    ['is not an object', () => wellKnown('null')],
    ['names nobody', () => wellKnown({})],
    ['holds no text', () => wellKnown({ 'm.server': 7 })],
    ['names what is not a server name', () => wellKnown({ 'm.server': 'https://matrix.test' })],
    ['names a port that there is not', () => wellKnown({ 'm.server': 'matrix.test:0' })],
    ['is too long', () => wellKnown({ 'm.server': 'matrix.test', x: 'x'.repeat(51_200) })],
    ['redirects in a circle', () => wellKnown('', { location: WELL_KNOWN }, 302)],
    ['redirects to plain HTTP', () => wellKnown('', { location: 'http://matrix.test/' }, 302)],
    ['breaks off', () => web.script('/', (_request, response) => response.destroy())],
  ])('that %s counts as none, for an hour', async (_what, script) => {
    script();
    await ask('example.test');
    expect(arrived(hs)).toEqual([{ host: 'example.test', sni: 'example.test' }]);
    const before = web.requests.length;
    made.clock.advance(0.9 * HOUR - 1);
    await ask('example.test');
    expect(web.requests.length).toBe(before);
    made.clock.advance(0.1 * HOUR + 1);
    await ask('example.test');
    expect(web.requests.length).toBeGreaterThan(before);
  });

  test('must not be at an address that is blocked', async () => {
    dns.set('example.test', { a: ['10.0.0.1'] });
    dns.set('_matrix-fed._tcp.example.test', { srv: [{ port: hs.port, target: 'matrix.test' }] });
    wellKnown({ 'm.server': `matrix.test:${delegate.port}` });
    await ask('example.test');
    expect(fetches()).toBe(0);
    expect(arrived(hs)).toHaveLength(1);
  });

  test('must not lead to an address that is blocked', async () => {
    wellKnown({ 'm.server': '10.0.0.1:443' });
    await expect(ask('example.test')).rejects.toMatchObject({ kind: 'address-refused' });
    made.clock.advance(2 * HOUR);
  });

  const expiresIn = (ms: number) => new Date(Date.UTC(2026, 0, 1) + ms).toUTCString();
  test.each<[string, Record<string, string>, number]>([
    ['24 hours where nothing is said', {}, 24 * HOUR],
    ['the time of Cache-Control', { 'cache-control': 'public, max-age=7200' }, 2 * HOUR],
    ['the time of Expires', { expires: expiresIn(3 * HOUR) }, 3 * HOUR],
    [
      'the time of Cache-Control before Expires',
      { 'cache-control': 'max-age=60', expires: expiresIn(HOUR) },
      60_000,
    ],
    ['48 hours at most', { 'cache-control': 'max-age=31536000' }, 48 * HOUR],
    ['48 hours at most, by Expires too', { expires: expiresIn(1000 * HOUR) }, 48 * HOUR],
  ])('is kept for %s, less some jitter', async (_what, headers, lifetime) => {
    wellKnown({ 'm.server': `matrix.test:${delegate.port}` }, headers);
    await ask('example.test');
    made.clock.advance(0.9 * lifetime - 1);
    await ask('example.test');
    expect(fetches()).toBe(1);
    made.clock.advance(0.1 * lifetime + 1);
    await ask('example.test');
    expect(fetches()).toBe(2);
  });

  test.each([
    { 'cache-control': 'no-store' },
    { 'cache-control': 'no-cache' },
    { 'cache-control': 'max-age=0' },
    { expires: '0' },
    { expires: expiresIn(-HOUR) },
  ])('is not kept with %j', async (headers) => {
    wellKnown({ 'm.server': `matrix.test:${delegate.port}` }, headers);
    await ask('example.test');
    await ask('example.test');
    expect(fetches()).toBe(2);
  });

  test('stands for a while when it cannot be fetched again', async () => {
    wellKnown({ 'm.server': `matrix.test:${delegate.port}` }, { 'cache-control': 'max-age=3600' });
    await ask('example.test');
    made.clock.advance(HOUR);
    web.script('/', (_request, response) => response.destroy());
    await ask('example.test');
    wellKnown('', {}, 503);
    made.clock.advance(HOUR);
    await ask('example.test');
    expect(arrived(delegate)).toHaveLength(3);
    // Not for ever, and not when it is really gone.
    made.clock.advance(46 * HOUR);
    await ask('example.test');
    expect(arrived(hs)).toHaveLength(1);
    wellKnown({ 'm.server': `matrix.test:${delegate.port}` }, { 'cache-control': 'max-age=3600' });
    made.clock.advance(HOUR);
    await ask('example.test');
    wellKnown({}, {}, 404);
    made.clock.advance(HOUR);
    await ask('example.test');
    expect(arrived(delegate)).toHaveLength(4);
    expect(arrived(hs)).toHaveLength(2);
  });

  test('is fetched once however many ask', async () => {
    wellKnown({ 'm.server': `matrix.test:${delegate.port}` });
    await Promise.all(Array.from({ length: 30 }, () => ask('example.test')));
    expect(fetches()).toBe(1);
    const text = await made.metrics.registry.metrics();
    expect(text).toContain('cognomen_homeserver_discoveries_total{from="network"} 1');
  });

  test('that does not come holds nobody beyond their own time', async () => {
    web.script('/', () => {});
    await expect(ask('example.test', 200)).rejects.toMatchObject({ kind: 'timeout' });
  });
});

describe('SRV records', () => {
  beforeEach(() => wellKnown({}, {}, 404));

  test('_matrix-fed comes before _matrix', async () => {
    dns.set('_matrix-fed._tcp.example.test', { srv: [{ port: hs.port, target: 'matrix.test' }] });
    dns.set('_matrix._tcp.example.test', { srv: [{ port: 1, target: 'matrix.test' }] });
    await ask('example.test');
    expect(arrived(hs)).toEqual([{ host: 'example.test', sni: 'example.test' }]);
  });

  test('_matrix is still looked at', async () => {
    dns.set('_matrix._tcp.example.test', { srv: [{ port: delegate.port, target: 'matrix.test' }] });
    // It answers with the certificate of another name.
    await expect(ask('example.test')).rejects.toMatchObject({ kind: 'tls' });
    expect(dns.queries).toContain('SRV _matrix-fed._tcp.example.test');
  });

  test('the next target is tried when one cannot be connected to', async () => {
    dns.set('_matrix-fed._tcp.example.test', {
      srv: [
        { priority: 30, port: 1, target: 'matrix.test' },
        { priority: 5, port: 1, target: 'matrix.test' },
        { priority: 7, port: 1, target: 'gone.test' },
        { priority: 20, port: hs.port, target: 'matrix.test' },
      ],
    });
    await ask('example.test');
    expect(arrived(hs)).toHaveLength(1);
  });

  test('the lowest priority comes first', async () => {
    dns.set('_matrix-fed._tcp.example.test', {
      srv: [
        { priority: 20, weight: 100, port: web.port, target: 'matrix.test' },
        { priority: 10, weight: 0, port: hs.port, target: 'matrix.test' },
      ],
    });
    for (let i = 0; i < 5; i++) await ask('example.test');
    expect(arrived(hs)).toHaveLength(5);
  });

  test('are asked for anew, so that their TTL counts', async () => {
    dns.set('_matrix-fed._tcp.example.test', { srv: [{ port: 1, target: 'matrix.test' }] });
    await expect(ask('example.test')).rejects.toMatchObject({ kind: 'unreachable' });
    dns.set('_matrix-fed._tcp.example.test', { srv: [{ port: hs.port, target: 'matrix.test' }] });
    await ask('example.test');
    expect(arrived(hs)).toHaveLength(1);
  });

  test('must not lead to an address that is blocked', async () => {
    dns.set('inside.test', { a: ['127.0.0.1', '192.168.0.1'] });
    dns.set('_matrix-fed._tcp.example.test', { srv: [{ port: hs.port, target: 'inside.test' }] });
    await expect(ask('example.test')).rejects.toMatchObject({ kind: 'address-refused' });
    dns.set('_matrix-fed._tcp.example.test', { srv: [{ port: hs.port, target: '10.0.0.1' }] });
    await expect(ask('example.test')).rejects.toMatchObject({ kind: 'address-refused' });
    expect(arrived(hs)).toEqual([]);
  });

  test('that say there is no such service', async () => {
    dns.set('_matrix-fed._tcp.example.test', { srv: [{ port: 0, target: '.' }] });
    await expect(ask('example.test')).rejects.toMatchObject({ kind: 'unreachable' });
  });

  test('that cannot be had are as good as none', async () => {
    dns.set('_matrix-fed._tcp.example.test', { failure: 'servfail' });
    await ask('example.test');
    expect(arrived(hs)).toHaveLength(1);
  });

  test('without any: port 8448', async () => {
    await ask('example.test');
    expect(arrived(hs)).toEqual([{ host: 'example.test', sni: 'example.test' }]);
  });
});

test('the order is by priority, and in a priority by weight', () => {
  const record = (priority: number, weight: number) => ({ priority, weight, port: 1, target: 'x' });
  const records = [record(2, 0), record(1, 30), record(1, 10), record(1, 0), record(0, 0)];
  const firsts = new Map<number, number>();
  for (let i = 0; i < 4000; i++) {
    const ordered = orderRecords(records, secureRandom);
    expect(ordered).toHaveLength(records.length);
    expect(ordered.map(({ priority }) => priority)).toEqual([0, 1, 1, 1, 2]);
    const weight = ordered[1]?.weight ?? -1;
    firsts.set(weight, (firsts.get(weight) ?? 0) + 1);
  }
  expect(firsts.get(30)).toBeGreaterThan(2 * (firsts.get(10) ?? 0));
  expect(firsts.get(10)).toBeGreaterThan(2 * (firsts.get(0) ?? 0));
  expect(firsts.get(0)).toBeGreaterThan(0);
  expect(orderRecords(Array(3000).fill(record(1, 1)), secureRandom)).toHaveLength(8);
});

test('certificates of homeservers do not matter where the configuration says so', async () => {
  await made.outbound.close();
  made = testHomeservers({
    dns,
    ports: { 443: web.port, 8448: hs.port },
    config: { federationVerifyCerts: false },
  });
  wellKnown({ 'm.server': `matrix.test:${delegate.port}` });
  await ask('example.test');
  expect(arrived(delegate)).toHaveLength(1);
});

test('a request is sent with its method, path and body', async () => {
  const script: Script = (_request, response) => answerJson(response, 418, { a: 1 });
  hs.script('/', script);
  const answer = await made.federation.request({
    method: 'PUT',
    serverName: `example.test:${hs.port}`,
    path: '/a/b?c=d',
    body: { e: 'ü' },
    room: 'notices',
    time: { answer: 5000, total: 5000 },
    maxBytes: 1000,
  });
  expect(answer).toMatchObject({ status: 418 });
  expect(hs.requests[0]).toMatchObject({
    method: 'PUT',
    url: '/a/b?c=d',
    body: '{"e":"ü"}',
    headers: { 'content-type': 'application/json' },
  });
});
