import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { lookupHash } from '../../src/model/lookup-hash.ts';
import {
  createDatabase,
  ENGINES,
  type TestDatabase,
  temporaryFolder,
} from '../support/databases.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { INVITE } from '../support/invitations.ts';
import { startSmtpServer, type TestRelay } from '../support/smtp.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';
import { askAnew, killWorker, type ServerOfWorkers, startWorkers } from '../support/workers.ts';

// Each of them starts several processes more than once.
const V2 = '/_matrix/identity/v2';
const INTERNAL_BIND = '/_matrix/identity/internal/bind';
const ONBIND = '/_matrix/federation/v1/3pid/onbind';
const WORKERS = 3;
/** Milliseconds after which what a dead process had claimed is done by another. */
const TAKEN_OVER = 10_000;

let ca: TestCa;
beforeAll(async () => {
  ca = await createTestCa();
});
afterAll(() => ca.remove());

describe.each(ENGINES)('among several workers, %s,', (engine) => {
  let hs: TestHomeserver;
  let relay: TestRelay;
  let database: TestDatabase;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let server: ServerOfWorkers;

  beforeEach(async () => {
    hs = await startHomeserver({ ca, validUntil: Date.now() + 3_600_000 });
    relay = await startSmtpServer();
    database = await createDatabase(engine);
    folder = await temporaryFolder();
    server = await startWorkers(
      folder.path,
      {
        general: hs.reachable,
        db: database.config,
        email: `email.from = a@id.test\nemail.smtphost = 127.0.0.1\nemail.smtpport = ${relay.port}`,
      },
      { workers: WORKERS, env: { NODE_EXTRA_CA_CERTS: ca.file } },
    );
  });
  afterEach(async () => {
    await server.stop();
    await database.drop();
    await relay.close();
    await hs.close();
    await folder.remove();
  });

  const post = (path: string, body: object, token?: string) =>
    askAnew(server.url + path, { method: 'POST', body, ...(token && { token }) });
  const everywhere = <T>(ask: () => Promise<T>) =>
    Promise.all(Array.from({ length: 2 * WORKERS }, ask));

  test('a flow hops from one to the next at each step', async () => {
    const user = `@grace:${hs.serverName}`;
    hs.openIdTokens.set('openid', user);
    const { token } = (
      await post(`${V2}/account/register`, {
        access_token: 'openid',
        expires_in: 3600,
        matrix_server_name: hs.serverName,
        token_type: 'Bearer',
      })
    ).json;
    const invited = { ...INVITE, address: 'grace@sample.test', sender: user };
    const { token: key } = (await post(`${V2}/store-invite`, invited, token)).json;
    await relay.nextMail();

    const who = { client_secret: 'secret', email: 'grace@sample.test', send_attempt: 1 };
    const { sid } = (await post(`${V2}/validate/email/requestToken`, who, token)).json;
    const { parsed } = await relay.nextMail();
    const code = /token=([^&\s]+)/.exec(parsed.text ?? '')?.[1];
    const proof = { sid, client_secret: 'secret' };
    const submitted = await post(
      `${V2}/validate/email/submitToken`,
      { ...proof, token: code },
      token,
    );
    expect(submitted.json).toEqual({ success: true });
    const validated = `${V2}/3pid/getValidated3pid?${new URLSearchParams(proof)}`;
    for (const { json } of await everywhere(() => askAnew(server.url + validated, { token }))) {
      expect(json).toMatchObject({ medium: 'email', address: 'grace@sample.test' });
    }
    const bound = await post(`${V2}/3pid/bind`, { ...proof, mxid: user }, token);
    expect(bound).toMatchObject({ status: 200, json: { mxid: user } });
    const { lookup_pepper: pepper } = (await askAnew(`${server.url}${V2}/hash_details`, { token }))
      .json;
    const hash = lookupHash('grace@sample.test', 'email', pepper);
    const asked = { addresses: [hash], algorithm: 'sha256', pepper };
    for (const { json } of await everywhere(() => post(`${V2}/lookup`, asked, token))) {
      expect(json).toEqual({ mappings: { [hash]: user } });
    }
    expect(await hs.nextOnbind()).toMatchObject({
      mxid: user,
      invites: [{ token: key, sender: user }],
    });

    const unbound = {
      ...proof,
      mxid: user,
      threepid: { medium: 'email', address: 'grace@sample.test' },
    };
    expect((await post(`${V2}/3pid/unbind`, unbound)).status).toBe(200);
    for (const { json } of await everywhere(() => post(`${V2}/lookup`, asked, token))) {
      expect(json).toEqual({ mappings: {} });
    }
    expect((await post(`${V2}/account/logout`, {}, token)).status).toBe(200);
    for (const { status } of await everywhere(() =>
      askAnew(`${server.url}${V2}/account`, { token }),
    )) {
      expect(status).toBe(401);
    }
    await expect.poll(() => server.answeredBy(`${V2}/lookup`).size).toBe(WORKERS);
  });

  test('what one had under way when it was killed is done by another', async () => {
    let asked = 0;
    hs.script(ONBIND, () => {
      asked++;
    });
    const bound = await askAnew(server.internalUrl + INTERNAL_BIND, {
      method: 'POST',
      body: { medium: 'email', address: 'ada@sample.test', mxid: `@ada:${hs.serverName}` },
    });
    expect(bound.status).toBe(200);
    await expect.poll(() => asked).toBe(1);
    hs.script(ONBIND, undefined);
    await expect.poll(() => server.answeredBy(INTERNAL_BIND).size).toBe(1);
    const [leading] = server.answeredBy(INTERNAL_BIND);
    const killed = performance.now();
    await killWorker(leading);
    expect(await hs.nextOnbind()).toMatchObject({ address: 'ada@sample.test' });
    // And what a busy machine takes for it.
    expect(performance.now() - killed).toBeLessThan(2 * TAKEN_OVER);
  });

  test('nothing that was acknowledged is lost when they are killed one after the other', async () => {
    const acknowledged = new Set<number>();
    const statuses = new Set<number>();
    let next = 0;
    let isOver = false;
    const clients = Array.from({ length: 6 }, async () => {
      while (!isOver) {
        const number = next++;
        const answer = await askAnew(server.internalUrl + INTERNAL_BIND, {
          method: 'POST',
          body: {
            medium: 'email',
            address: `u${number}@sample.test`,
            mxid: `@u${number}:sample.test`,
          },
        }).catch(() => undefined);
        if (answer) statuses.add(answer.status);
        if (answer?.status === 200) acknowledged.add(number);
      }
    });
    for (let round = 0; round < 4; round++) {
      const target = acknowledged.size + 40;
      await expect.poll(() => acknowledged.size).toBeGreaterThan(target);
      // The one that leads, and so binds, is among those that are killed.
      for (const pid of server.workers().slice(0, 2)) process.kill(pid, 'SIGKILL');
    }
    const target = acknowledged.size + 40;
    await expect.poll(() => acknowledged.size).toBeGreaterThan(target);
    isOver = true;
    await Promise.all(clients);
    expect([...statuses]).toEqual([200]);
    for (const number of acknowledged) {
      const query = new URLSearchParams({ medium: 'email', address: `u${number}@sample.test` });
      const { json } = await askAnew(`${server.url}/_matrix/identity/api/v1/lookup?${query}`);
      expect(json.mxid).toBe(`@u${number}:sample.test`);
    }
  });
});
