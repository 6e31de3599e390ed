import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import { createFakeClock, type FakeClock, HAS_FAKETIME } from '../support/faketime.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { get, postJson } from '../support/http.ts';
import {
  befriend,
  createReplicatingProcess,
  type ReplicatingProcess,
} from '../support/replicating-process.ts';
import { bind, lookup } from '../support/replicating-servers.ts';
import { startSmtpServer, type TestRelay } from '../support/smtp.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const V2 = '/_matrix/identity/v2';
const secret = { client_secret: 'secret' };
/** Seconds. */
const HOURS = 3 * 60 * 60;
/** So many mails at once, then one a second. */
const BURST = 3;

let ca: TestCa;
beforeAll(async () => {
  ca = await createTestCa();
});
afterAll(() => ca.remove());

describe.runIf(HAS_FAKETIME).each(ENGINES)('under a clock that is set, on %s,', (engine) => {
  let hs: TestHomeserver;
  let smtp: TestRelay;
  let clock: FakeClock;
  let server: ReplicatingProcess;
  let peer: ReplicatingProcess;
  let token: string;
  let user: string;

  beforeEach(async () => {
    hs = await startHomeserver({ ca, validUntil: Date.now() + 24 * 60 * 60 * 1000 });
    user = `@ada:${hs.serverName}`;
    hs.openIdTokens.set('openid', user);
    smtp = await startSmtpServer();
    clock = await createFakeClock();
    [server, peer] = await Promise.all([
      createReplicatingProcess(ca, 'a.test', {
        engine,
        env: { ...clock.env, NODE_EXTRA_CA_CERTS: ca.file },
        sections: {
          general: hs.reachable,
          email: `email.from = noreply@a.test
email.hostname = a.test
email.smtphost = 127.0.0.1
email.smtpport = ${smtp.port}
email.ratelimit_sender.burst = ${BURST}
email.ratelimit_sender.rate_hz = 1`,
        },
      }),
      createReplicatingProcess(ca, 'b.test', { engine }),
    ]);
    await Promise.all([server.start(), peer.start()]);
    await befriend(server, peer);
    const registered = await postJson(`${server.url}${V2}/account/register`, {
      access_token: 'openid',
      expires_in: 3600,
      matrix_server_name: hs.serverName,
      token_type: 'Bearer',
    });
    token = registered.json.token;
  });
  afterEach(async () => {
    await server.remove();
    await peer.remove();
    await clock.remove();
    await smtp.close();
    await hs.close();
  });

  let asked = 0;
  /** How many seconds a mail to another address has to wait; 0 where it went out. */
  async function wait(): Promise<number> {
    const email = `asked${asked++}@sample.test`;
    const { status, json } = await postJson(
      `${server.url}${V2}/validate/email/requestToken`,
      { email, send_attempt: 1, ...secret },
      token,
    );
    expect([200, 429]).toContain(status);
    return status === 200 ? 0 : json.retry_after_ms / 1000;
  }
  const told = () => hs.onbinds.map(({ address }) => address);
  const backlog = async (of: ReplicatingProcess) =>
    /backlog: (\d+)/.exec((await of.peers('status')).output)?.[1];

  async function requireFound(...addresses: string[]): Promise<void> {
    const { json: details } = await get(`${server.url}${V2}/hash_details`, {}, token);
    const pepper = details.lookup_pepper;
    const hashes = addresses.map((address) =>
      createHash('sha256').update(`${address} email ${pepper}`).digest('base64url'),
    );
    const query = { algorithm: 'sha256', pepper, addresses: hashes };
    const { json } = await postJson(`${server.url}${V2}/lookup`, query, token);
    expect(json.mappings).toEqual(Object.fromEntries(hashes.map((hash) => [hash, user])));
  }

  test.each([
    { name: 'steps back three hours', from: 0, to: -HOURS },
    { name: 'steps forward three hours', from: 0, to: HOURS },
    { name: 'steps forward three hours, and back', from: HOURS, to: 0 },
    { name: 'runs half as fast again', from: 0, to: 0, speed: 1.5 },
    { name: 'runs at half its speed', from: 0, to: 0, speed: 0.5 },
  ] as const)(
    'which $name: sessions, bindings, notices, limits and replication go on',
    async ({ from, to, speed }) => {
      await clock.set(from);
      const begun = await postJson(
        `${server.url}${V2}/validate/email/requestToken`,
        { email: 'session@sample.test', send_attempt: 1, ...secret },
        token,
      );
      const { sid } = begun.json;
      const code = /token=([0-9a-zA-Z]+)/.exec((await smtp.nextMail()).parsed.text ?? '')?.[1];
      expect((await bind(server, 'before@sample.test', user)).status).toBe(200);
      expect((await bind(server, 'again@sample.test', `@eve:${hs.serverName}`)).status).toBe(200);
      while ((await wait()) === 0);

      await clock.set(to, speed);
      const after = await wait();
      expect(after).toBeLessThanOrEqual(BURST);
      const submitted = await postJson(
        `${server.url}${V2}/validate/email/submitToken`,
        { sid, token: code, ...secret },
        token,
      );
      expect(submitted.json).toEqual({ success: true });
      const owned = { sid, mxid: user, ...secret };
      expect((await postJson(`${server.url}${V2}/3pid/bind`, owned, token)).status).toBe(200);
      expect((await bind(server, 'after@sample.test', user)).status).toBe(200);
      // What is bound later counts, whatever the clock says.
      expect((await bind(server, 'again@sample.test', user)).status).toBe(200);
      const bound = ['before', 'session', 'after', 'again'].map((name) => `${name}@sample.test`);
      await requireFound(...bound);
      await expect.poll(told).toEqual(expect.arrayContaining(bound));
      await expect.poll(wait, { timeout: 2 * BURST * 1000 }).toBe(0);

      expect((await bind(peer, 'theirs@sample.test', user)).status).toBe(200);
      await expect.poll(() => backlog(server)).toBe('0');
      await expect.poll(() => backlog(peer)).toBe('0');
      await clock.set(0);
      // Dated by each for when it was bound: what is ahead of the true time is found by its own server only.
      await requireFound(...bound, 'theirs@sample.test');
      if (from + to <= 0) {
        for (const address of bound) {
          await expect.poll(() => lookup(peer, address)).toMatchObject({ mxid: user });
        }
      }
      expect(server.process().log()).not.toContain('Request failed');
    },
  );

  test('certificates that are not valid by it are not taken, and what waits goes out when it is right', async () => {
    const fresh = await startHomeserver({ ca, isFresh: true });
    try {
      await clock.set(-HOURS);
      expect((await bind(server, 'ada@sample.test', `@ada:${fresh.serverName}`)).status).toBe(200);
      await server.process().untilLogged('CERT_NOT_YET_VALID');
      expect(fresh.onbinds).toEqual([]);
      await clock.set(0);
      expect(await fresh.nextOnbind()).toMatchObject({ address: 'ada@sample.test' });
    } finally {
      await fresh.close();
    }
  });
});
