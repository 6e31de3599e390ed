import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDnsServer, type TestDnsServer } from '../support/dns-server.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { postJson, request } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { type SilentServer, startSilentServer } from '../support/silent.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const UNBIND = '/_matrix/identity/v2/3pid/unbind';
/** Milliseconds. */
const CONNECT = 300;

let ca: TestCa;
let dns: TestDnsServer;
let homeserver: TestHomeserver;
let silent: SilentServer;
let server: TestServer;

beforeAll(async () => {
  ca = await createTestCa();
  dns = await startDnsServer({
    'inside.test': { a: ['10.1.2.3'] },
    'closed.test': { a: ['127.0.0.1'] },
    'silent.test': { a: ['127.0.0.1'] },
    'dumb.test': { failure: 'silence' },
    'other.test': { a: ['127.0.0.1'] },
  });
  homeserver = await startHomeserver({ ca });
  silent = await startSilentServer();
  server = await startTestServer({
    sections: { general: `${homeserver.reachable}dns.servers = ${dns.address}` },
    trustedCa: ca.pem,
    outboundLimits: { connect: CONNECT },
  });
});
afterAll(async () => {
  await server.stop();
  for (const part of [homeserver, silent, dns]) await part.close();
  await ca.remove();
});

/** What cannot be asked, and how the log says so. */
const UNREACHABLE: [string, () => string, string][] = [
  ['at a blocked address', () => `inside.test:${homeserver.port}`, 'address-refused'],
  ['that is a blocked address', () => `10.1.2.3:${homeserver.port}`, 'address-refused'],
  ['that is a number', () => '2130706433', 'address-refused'],
  ['at a closed port', () => 'closed.test:1', 'unreachable'],
  ['that does not answer', () => `silent.test:${silent.port}`, 'unreachable'],
  ['that there is not', () => 'gone.test:8448', 'name-unresolved'],
  ['of which DNS says nothing', () => 'dumb.test:8448', 'unreachable'],
  ['with the certificate of another', () => `other.test:${homeserver.port}`, 'tls'],
];

const WAYS: [string, (name: string) => ReturnType<typeof request>][] = [
  [
    'registering',
    (name) =>
      postJson(`${server.url}/_matrix/identity/v2/account/register`, {
        matrix_server_name: name,
        access_token: 'hush',
      }),
  ],
  [
    'unbinding',
    (name) => {
      const threepid = { medium: 'email', address: 'ada@sample.test' };
      const content = { threepid, mxid: `@ada:${name}` };
      const signature = homeserver.authorization({ uri: UNBIND, content });
      return request(`${server.url}${UNBIND}`, {
        method: 'POST',
        headers: { authorization: signature.replaceAll(homeserver.serverName, name) },
        body: JSON.stringify(content),
      });
    },
  ],
];

describe.each(WAYS)('%s', (_way, ask) => {
  test('does not tell why a homeserver cannot be asked; the log does', async () => {
    const answers: object[] = [];
    for (const [what, nameOf, kind] of UNREACHABLE) {
      const name = nameOf();
      server.logs.length = 0;
      const { status, json, headers } = await ask(name);
      const told = headers.get('content-length');
      expect(told).toBe(String(JSON.stringify(json).length));
      answers.push({ status, ...json, error: json.error.replaceAll(name, 'NAME') });
      const logged = server.logs.map((line) => JSON.parse(line));
      const line = logged.find(({ homeserver, kind }) => homeserver === name && kind !== undefined);
      expect([what, line?.kind, typeof line?.reason]).toEqual([what, kind, 'string']);
    }
    const alike = {
      status: 502,
      errcode: 'M_UNKNOWN',
      error: 'The homeserver NAME could not be asked',
    };
    expect(answers).toEqual(UNREACHABLE.map(() => alike));
  });
});

test('nor does the time until the answer, unless the homeserver is silent', async () => {
  const patient = await startTestServer({
    sections: { general: `${homeserver.reachable}dns.servers = ${dns.address}` },
    trustedCa: ca.pem,
    homeserverTimings: { failure: 700 },
  });
  const timed = async (nameOf: () => string) => {
    const began = performance.now();
    const answer = await postJson(`${patient.url}/_matrix/identity/v2/account/register`, {
      matrix_server_name: nameOf(),
      access_token: 'hush',
    });
    expect(answer.status).toBe(502);
    return performance.now() - began;
  };
  const soon = UNREACHABLE.filter(([what]) => !/not answer|nothing/.test(what));
  const times = await Promise.all(soon.map(([, nameOf]) => timed(nameOf)));
  expect(Math.min(...times)).toBeGreaterThanOrEqual(695);
  await patient.stop();
});
