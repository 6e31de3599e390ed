import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeBase64 } from '../../src/signing/base64.ts';
import { verifySignedJson } from '../../src/signing/signed-json.ts';
import { ENGINES } from '../support/databases.ts';
import { answerJson, startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { get, postJson } from '../support/http.ts';
import { bind, invite } from '../support/invitations.ts';
import {
  noticesWithin,
  PUBLIC_KEY,
  SERVER_NAME,
  startTestServer,
  type TestServer,
} from '../support/server.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const ONBIND = '/_matrix/federation/v1/3pid/onbind';
const HOUR = 60 * 60 * 1000;
const DAY = 24 * HOUR;
/** An answer late on a busy machine is one that never comes. */
const PACE = { poll: 20 };
const homeserverTimings = noticesWithin(2000);

let ca: TestCa;
beforeAll(async () => {
  ca = await createTestCa();
});
afterAll(() => ca.remove());

const publicKey = decodeBase64(PUBLIC_KEY) ?? new Uint8Array();
const isSigned = (object: object) => verifySignedJson(object, SERVER_NAME, 'ed25519:0', publicKey);
const tokens = ({ invites = [] }: { invites?: { token: string }[] }) =>
  invites.map(({ token }) => token);

describe.each(ENGINES)('a homeserver is told of bindings, on %s:', (engine) => {
  let hs: TestHomeserver;
  let other: TestHomeserver;
  let server: TestServer;
  let ticking: NodeJS.Timeout;
  let number = 0;
  let address: string;
  let user: string;

  beforeAll(async () => {
    hs = await startHomeserver({ ca });
    other = await startHomeserver({ ca });
    server = await startTestServer({
      engine,
      trustedCa: ca.pem,
      noticeTimings: PACE,
      homeserverTimings,
      sections: { general: `${hs.reachable}onbind.give_up_after_days = 1000` },
    });
    // A delivery that a busy machine spoilt is tried again.
    ticking = setInterval(() => server.clock.advance(100), 100);
  });
  afterAll(async () => {
    clearInterval(ticking);
    await server.stop();
    await hs.close();
    await other.close();
  });
  beforeEach(() => {
    number++;
    address = `grace${number}@sample.test`;
    user = `@grace${number}:${hs.serverName}`;
  });
  afterEach(() => {
    hs.script(ONBIND, undefined);
  });

  const v1 = () => `${server.url}/_matrix/identity/api/v1`;
  const owed = async () =>
    (await server.database.execute('select id from cognomen_notices')).length;
  /** Until nothing is owed any more, the clock moving on. */
  const untilDone = (step = HOUR) =>
    expect
      .poll(async () => {
        server.clock.advance(step);
        return owed();
      })
      .toBe(0);
  const isValid = async (public_key: string) =>
    (await get(`${v1()}/pubkey/ephemeral/isvalid`, { public_key })).json.valid;

  test('with all invitations of the address, whatever its case, and no others', async () => {
    const first = await invite(server, `Grace${number}@Sample.test`);
    const second = await invite(server, address, { room_id: '!v12room', sender: '@b:x.test' });
    await invite(server, `not${address}`);
    const bound = await bind(server, address.toUpperCase(), user);
    const notice = await hs.nextOnbind();

    expect(notice).toEqual(bound);
    expect(isSigned(notice)).toBe(true);
    expect(notice).toMatchObject({ medium: 'email', address, mxid: user });
    expect(notice.invites).toEqual([
      {
        medium: 'email',
        address,
        mxid: user,
        token: first.token,
        room_id: '!tea:sample.test',
        sender: '@ada:sample.test',
        signed: { mxid: user, token: first.token, signatures: expect.anything() },
      },
      {
        medium: 'email',
        address,
        mxid: user,
        token: second.token,
        room_id: '!v12room',
        sender: '@b:x.test',
        signed: { mxid: user, token: second.token, signatures: expect.anything() },
      },
    ]);
    // What a homeserver looks at before it lets the user in.
    for (const { signed } of notice.invites) expect(isSigned(signed)).toBe(true);
    expect(first.public_keys[0].public_key).toBe(PUBLIC_KEY);
    for (const { public_key, key_validity_url } of first.public_keys) {
      const url = key_validity_url.replace('https://id.test', server.url);
      expect((await get(url, { public_key })).json).toEqual({ valid: true });
    }

    const found = await get(`${v1()}/lookup`, { medium: 'email', address });
    expect(found.json).not.toHaveProperty('invites');
    expect(isSigned(found.json)).toBe(true);
    await untilDone(0);
    expect(await bind(server, address, user)).not.toHaveProperty('invites');
    expect(await hs.nextOnbind()).toMatchObject({ address, invites: [] });
    server.clock.advance(29 * DAY);
    expect(await isValid(first.public_keys[1].public_key)).toBe(true);
    server.clock.advance(2 * DAY);
    expect(await isValid(first.public_keys[1].public_key)).toBe(false);
  });

  test('when nothing is pending, too', async () => {
    const bound = await bind(server, address, user);
    expect(bound).not.toHaveProperty('invites');
    const notice = await hs.nextOnbind();
    const { signatures, invites, ...association } = notice;
    expect(invites).toEqual([]);
    expect(bound).toMatchObject(association);
    expect(isSigned(notice)).toBe(true);
  });

  test('of invitations that Sydent stored, in the case they came in', async () => {
    await server.database.execute(
      `insert into invite_tokens (medium, address, room_id, sender, token, received_ts, sent_ts)
       values ('email', ?, '!old:x.test', '@old:x.test', ?, 1600000000, null),
              ('email', ?, '!old:x.test', '@old:x.test', 'delivered', 1600000000, 1600000001)`,
      [`Grace${number}@SAMPLE.test`, `old${number}`, address],
    );
    const key = `${'k'.repeat(41)}${number}`;
    await server.database.execute(
      'insert into ephemeral_public_keys (public_key, persistence_ts) values (?, 1600000000)',
      [key],
    );
    expect(tokens(await bind(server, address, user))).toEqual([`old${number}`]);
    expect(tokens(await hs.nextOnbind())).toEqual([`old${number}`]);
    server.clock.advance(400 * DAY);
    expect(await isValid(key)).toBe(true);
  });

  test('by PUT, where POST is not understood', async () => {
    const { token } = await invite(server, address);
    hs.script(ONBIND, ({ method }, response) =>
      method === 'POST'
        ? answerJson(response, 405, { errcode: 'M_UNRECOGNIZED', error: 'No' })
        : false,
    );
    await bind(server, address, user);
    expect(tokens(await hs.nextOnbind())).toEqual([token]);
    await untilDone(0);
  });

  test('again and again when it answers 500, the same each time', async () => {
    const { token } = await invite(server, address);
    hs.scriptOnbind(...Array(10).fill(500));
    const before = hs.onbinds.length;
    await bind(server, address, user);
    await untilDone();
    const notices = hs.onbinds.slice(before);
    expect(notices.length).toBe(11);
    expect(tokens(notices[0])).toEqual([token]);
    for (const notice of notices) expect(notice).toEqual(notices[0]);
  });

  test('each at its own time: one that never answers and one that is nowhere delay no other', async () => {
    let asked = 0;
    hs.script(ONBIND, () => {
      asked++;
    });
    const silent = await invite(server, address);
    await bind(server, address, user);
    await bind(server, `lost${address}`, '@lost:nowhere.invalid');
    for (let count = 0; count < 3; count++) {
      await bind(server, `${count}${address}`, `@x:${other.serverName}`);
      expect(await other.nextOnbind()).toMatchObject({ address: `${count}${address}` });
    }
    await expect.poll(() => asked).toBeGreaterThan(0);
    hs.script(ONBIND, undefined);
    await expect
      .poll(() => {
        server.clock.advance(HOUR);
        return hs.onbinds.some((notice) => tokens(notice).includes(silent.token));
      })
      .toBe(true);
    await server.database.execute('delete from cognomen_notices');
  });

  test('again of what nobody looked at, such as a proxy that knows no such path', async () => {
    const { token } = await invite(server, address);
    hs.script(ONBIND, (_request, response) => {
      response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Nothing here</h1>');
    });
    await bind(server, address, user);
    await expect.poll(() => server.logs.some((line) => line.includes('status 404'))).toBe(true);
    hs.script(ONBIND, undefined);
    await untilDone();
    expect(tokens(hs.onbinds.at(-1))).toEqual([token]);
  });

  test('even if it is down, and this server restarts in between', async () => {
    const { token } = await invite(server, address);
    hs.script(ONBIND, (_request, response) => answerJson(response, 503, {}));
    await bind(server, address, user);
    await expect.poll(() => server.logs.some((line) => line.includes('status 503'))).toBe(true);
    await server.restart();
    hs.script(ONBIND, undefined);
    await untilDone();
    expect(tokens(hs.onbinds.at(-1))).toEqual([token]);
  });

  test('and the metrics say how much of it is left to do', async () => {
    hs.script(ONBIND, (_request, response) => answerJson(response, 500, {}));
    await bind(server, address, user);
    const read = async () => (await get(`${server.metricsUrl}/metrics`)).text;
    await expect.poll(read).toMatch(/^cognomen_notices_total\{outcome="postponed"\} \d+$/m);
    expect(await read()).toMatch(/^cognomen_outbox_notices 1$/m);
    hs.script(ONBIND, undefined);
    await untilDone();
    const text = await read();
    expect(text).toMatch(/^cognomen_outbox_notices 0$/m);
    expect(text).toMatch(/^cognomen_outbox_oldest_seconds 0$/m);
    expect(text).toMatch(/^cognomen_notices_total\{outcome="delivered"\} \d+$/m);
  });
});

describe.each(ENGINES)('on %s', (engine) => {
  let hs: TestHomeserver;
  beforeAll(async () => {
    hs = await startHomeserver({ ca });
  });
  afterAll(() => hs.close());
  const start = (general: string, more: Parameters<typeof startTestServer>[0] = {}) =>
    startTestServer({
      engine,
      trustedCa: ca.pem,
      noticeTimings: PACE,
      homeserverTimings,
      sections: { general: hs.reachable + general },
      ...more,
    });

  test('delivered invitations stay when they are to, and are not delivered again', async () => {
    const server = await start('delete_tokens_on_bind = false');
    try {
      const { token } = await invite(server, 'grace@sample.test');
      const user = `@grace:${hs.serverName}`;
      await bind(server, 'grace@sample.test', user);
      expect(tokens(await hs.nextOnbind())).toEqual([token]);
      const sent = () =>
        server.database.execute('select sent_ts from invite_tokens where sent_ts is not null');
      await expect.poll(sent).toEqual([{ sent_ts: expect.anything() }]);
      expect(await bind(server, 'grace@sample.test', user)).not.toHaveProperty('invites');
      expect(await hs.nextOnbind()).toMatchObject({ invites: [] });
      const signed = await postJson(`${server.url}/_matrix/identity/api/v1/sign-ed25519`, {
        mxid: user,
        token,
        private_key: Buffer.alloc(32).toString('base64url'),
      });
      expect(signed.status).toBe(200);
    } finally {
      await server.stop();
    }
  });

  test('an invitation from before a change of the signing key is signed by the key of its time, too', async () => {
    const old = 'ed25519 old T8BYuX0nQJ1N0gwJ8eRkR1jBgq2xSx0rO6q8M2Zk3lE';
    const before = await start('', { signingKey: old });
    const { public_key } = await invite(before, 'grace@sample.test');
    expect(public_key).not.toBe(PUBLIC_KEY);
    await before.app.close();
    const server = await start('', {
      sections: {
        general: hs.reachable,
        db: before.database.config,
        crypto: `ed25519.old_signing_keys =\n  ${old}`,
      },
    });
    try {
      await bind(server, 'grace@sample.test', `@grace:${hs.serverName}`);
      const [{ signed }] = (await hs.nextOnbind()).invites;
      const key = decodeBase64(public_key) ?? new Uint8Array();
      expect(verifySignedJson(signed, SERVER_NAME, 'ed25519:old', key)).toBe(true);
      expect(isSigned(signed)).toBe(true);
      const v2 = `${server.url}/_matrix/identity/v2`;
      expect((await get(`${v2}/pubkey/isvalid`, { public_key })).json).toEqual({ valid: true });
      expect((await get(`${v2}/pubkey/ed25519:old`)).json).toEqual({ public_key });
    } finally {
      await server.stop();
      await before.stop();
    }
  });

  test('a homeserver that is down for days is given up; its invitations wait for the next bind', async () => {
    const server = await start('onbind.give_up_after_days = 2');
    try {
      const { token } = await invite(server, 'grace@sample.test');
      const user = `@grace:${hs.serverName}`;
      hs.script(ONBIND, (_request, response) => answerJson(response, 500, {}));
      await bind(server, 'grace@sample.test', user);
      await expect
        .poll(() => {
          server.clock.advance(6 * HOUR);
          return server.logs.some((line) => line.includes('Gave up telling a homeserver'));
        })
        .toBe(true);
      const metrics = await get(`${server.metricsUrl}/metrics`);
      expect(metrics.text).toMatch(/^cognomen_notices_total\{outcome="given-up"\} 1$/m);
      hs.script(ONBIND, undefined);
      expect(tokens(await bind(server, 'grace@sample.test', user))).toEqual([token]);
      expect(tokens(await hs.nextOnbind())).toEqual([token]);
    } finally {
      await server.stop();
    }
  });
});
