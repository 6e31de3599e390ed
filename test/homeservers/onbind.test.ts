import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createOnbind } from '../../src/homeservers/onbind/request.ts';
import { startDnsServer, type TestDnsServer } from '../support/dns-server.ts';
import { answerJson, startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { testHomeservers } from '../support/outbound.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const ONBIND = '/_matrix/federation/v1/3pid/onbind';
const NOTICE = {
  medium: 'email',
  address: 'grace@sample.test',
  mxid: '@grace:example.test',
  ts: 1,
  not_before: 1,
  not_after: 2,
  invites: [],
  signatures: {},
};

let ca: TestCa;
let dns: TestDnsServer;
let hs: TestHomeserver;
let made: ReturnType<typeof testHomeservers>;
beforeAll(async () => {
  ca = await createTestCa();
});
afterAll(() => ca.remove());
beforeEach(async () => {
  hs = await startHomeserver({ ca, host: 'example.test' });
  dns = await startDnsServer({ 'example.test': { a: ['127.0.0.1'] } });
  made = testHomeservers({ dns, ca, ports: { 443: hs.port, 8448: hs.port } });
});
afterEach(async () => {
  await made.outbound.close();
  await dns.close();
  await hs.close();
});

const notices = () => hs.requests.filter(({ url }) => url === ONBIND).map(({ method }) => method);

test('whether a notice is still owed is asked once its homeserver is found, and nothing is sent when not', async () => {
  let foundBefore = false;
  const answer = await createOnbind(made.federation)('example.test', NOTICE, async () => {
    foundBefore = dns.queries.includes('SRV _matrix-fed._tcp.example.test');
    return false;
  });
  expect(answer).toEqual({ kind: 'not-sent' });
  expect(foundBefore).toBe(true);
  expect(notices()).toEqual([]);
});

test('and again before a PUT where POST is not understood', async () => {
  let owed = true;
  hs.script(ONBIND, (_request, response) => {
    owed = false;
    answerJson(response, 405, { errcode: 'M_UNRECOGNIZED', error: 'No' });
  });
  const answer = await createOnbind(made.federation)('example.test', NOTICE, async () => owed);
  expect(answer).toEqual({ kind: 'not-sent' });
  expect(notices()).toEqual(['POST']);
});
