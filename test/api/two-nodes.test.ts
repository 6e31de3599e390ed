import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { lookupHash } from '../../src/model/lookup-hash.ts';
import { createDatabase, ENGINES, type TestDatabase } from '../support/databases.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { get, postJson } from '../support/http.ts';
import { INVITE } from '../support/invitations.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const ADA = 'ada@sample.test';

let ca: TestCa;
beforeAll(async () => {
  ca = await createTestCa();
});
afterAll(() => ca.remove());

describe.runIf(ENGINES.includes('postgres'))('two nodes on one database', () => {
  let database: TestDatabase;
  /** Mails that were looked at. */
  let seen: Set<unknown>;
  let hs: TestHomeserver;
  let nodes: TestServer[];
  let turn: number;

  beforeEach(async () => {
    database = await createDatabase('postgres');
    seen = new Set();
    hs = await startHomeserver({ ca });
    nodes = [];
    turn = 0;
    for (let node = 0; node < 2; node++) {
      nodes.push(
        await startTestServer({
          database,
          trustedCa: ca.pem,
          noticeTimings: { poll: 20 },
          sections: {
            general: hs.reachable,
          },
        }),
      );
    }
  });
  afterEach(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await hs.close();
    await database.drop();
  });

  /** Each request goes to the node that did not have the last one. */
  const root = (version: string) => `${nodes[turn++ % 2]?.url}/_matrix/identity/${version}`;
  const post = (path: string, body: object, token?: string) =>
    postJson(root('v2') + path, body, token);
  const mails = () => nodes.flatMap(({ smtp }) => smtp.mails);
  /** The mail that came, through whichever node. */
  const nextMail = async () => {
    const mail = await expect
      .poll(() => mails().find((each) => !seen.has(each)))
      .not.toBe(undefined)
      .then(() => mails().find((each) => !seen.has(each)));
    seen.add(mail);
    return mail;
  };
  const codeMailed = async () => /token=([^&\s]+)/.exec((await nextMail())?.parsed.text ?? '')?.[1];
  const ask = (attempt: number, token: string, email = ADA) =>
    post(
      '/validate/email/requestToken',
      { client_secret: 'secret', email, send_attempt: attempt },
      token,
    );
  const proofOf = (sid: string) => ({ sid, client_secret: 'secret' });

  async function register(name: string): Promise<{ user: string; token: string }> {
    const user = `@${name}:${hs.serverName}`;
    hs.openIdTokens.set(name, user);
    const registered = await post('/account/register', {
      access_token: name,
      expires_in: 3600,
      matrix_server_name: hs.serverName,
      token_type: 'Bearer',
    });
    return { user, token: registered.json.token };
  }

  async function hashOf(address: string, token: string) {
    const { lookup_pepper: pepper } = (await get(`${root('v2')}/hash_details`, {}, token)).json;
    const hash = lookupHash(address, 'email', pepper);
    return { hash, asked: { addresses: [hash], algorithm: 'sha256', pepper } };
  }

  test('a flow hops from one to the other at each step', async () => {
    const { user, token } = await register('ada');
    const stored = await post('/store-invite', { ...INVITE, address: ADA, sender: user }, token);
    expect(stored.status).toBe(200);
    const [publicKey] = stored.json.public_keys.slice(-1);
    await nextMail();
    const isValid = await get(`${root('v2')}/pubkey/ephemeral/isvalid`, {
      public_key: publicKey.public_key,
    });
    expect(isValid.json).toEqual({ valid: true });

    const { sid } = (await ask(1, token)).json;
    const code = await codeMailed();
    const proof = proofOf(sid);
    const submitted = await post('/validate/email/submitToken', { ...proof, token: code }, token);
    expect(submitted.json).toEqual({ success: true });
    const validated = await get(`${root('v2')}/3pid/getValidated3pid`, proof, token);
    expect(validated.json).toMatchObject({ medium: 'email', address: ADA });
    const bound = await post('/3pid/bind', { ...proof, mxid: user }, token);
    expect(bound).toMatchObject({ status: 200, json: { mxid: user } });

    const { hash, asked } = await hashOf(ADA, token);
    // On both.
    for (let times = 0; times < 2; times++) {
      expect((await post('/lookup', asked, token)).json).toEqual({ mappings: { [hash]: user } });
    }
    const found = await get(`${root('api/v1')}/lookup`, { medium: 'email', address: ADA });
    expect(found.json.mxid).toBe(user);
    expect(await hs.nextOnbind()).toMatchObject({
      mxid: user,
      invites: [{ token: stored.json.token, sender: user }],
    });
    const inUse = await post('/store-invite', { ...INVITE, address: ADA, sender: user }, token);
    expect(inUse.json.errcode).toBe('M_THREEPID_IN_USE');

    const threepid = { medium: 'email', address: ADA };
    expect((await post('/3pid/unbind', { ...proof, mxid: user, threepid })).status).toBe(200);
    for (let times = 0; times < 2; times++) {
      expect((await post('/lookup', asked, token)).json).toEqual({ mappings: {} });
    }
    expect((await post('/account/logout', {}, token)).status).toBe(200);
    for (let times = 0; times < 2; times++) {
      expect((await get(`${root('v2')}/account`, {}, token)).status).toBe(401);
    }
  });

  test('are asked at once for one session: one mail, one session, one outcome', async () => {
    const { user, token } = await register('ada');
    const asked = await Promise.all(Array.from({ length: 12 }, () => ask(1, token)));
    expect(asked.map(({ status }) => status)).toEqual(Array(12).fill(200));
    expect(new Set(asked.map(({ json }) => json.sid)).size).toBe(1);
    const code = await codeMailed();
    expect(mails()).toHaveLength(1);
    const proof = proofOf(asked[0]?.json.sid);

    // Guesses at once, on both, count together: ten, and the code is dead.
    const wrong = await Promise.all(
      Array.from({ length: 16 }, (_, n) =>
        post('/validate/email/submitToken', { ...proof, token: `wrong${n}` }, token),
      ),
    );
    expect(wrong.filter(({ json }) => json.success === true)).toEqual([]);
    const late = await post('/validate/email/submitToken', { ...proof, token: code }, token);
    expect(late.json.success).not.toBe(true);

    await ask(2, token);
    const next = await codeMailed();
    const right = await Promise.all(
      Array.from({ length: 6 }, () =>
        post('/validate/email/submitToken', { ...proof, token: next }, token),
      ),
    );
    expect(right.map(({ json }) => json.success)).toEqual(Array(6).fill(true));
    expect((await post('/3pid/bind', { ...proof, mxid: user }, token)).status).toBe(200);
  });

  test('bind and unbind one address at once: the last that is in the log is what both find', async () => {
    const { token } = await register('ada');
    const threepid = { medium: 'email', address: ADA };
    const { sid } = (await ask(1, token)).json;
    const proof = proofOf(sid);
    await post('/validate/email/submitToken', { ...proof, token: await codeMailed() }, token);
    const users = Array.from({ length: 8 }, (_, n) => `@u${n}:${hs.serverName}`);
    const answers = await Promise.all(
      users.flatMap((mxid) => [
        post('/3pid/bind', { ...proof, mxid }, token),
        // Refused where another is bound by then.
        post('/3pid/unbind', { ...proof, mxid, threepid }),
      ]),
    );
    for (const { status } of answers) expect([200, 403]).toContain(status);
    const log = (await database.execute(
      'select id, mxid, ts from local_threepid_associations order by id',
    )) as { id: string; mxid: string | null; ts: string }[];
    // Dated in the order in which they are, so that every peer decides as this server does.
    const times = log.map(({ ts }) => Number(ts));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(new Set(times).size).toBe(times.length);
    const { hash, asked } = await hashOf(ADA, token);
    const last = log.at(-1)?.mxid ?? undefined;
    for (let times = 0; times < 2; times++) {
      expect((await post('/lookup', asked, token)).json.mappings[hash]).toBe(last);
    }
    const rows = await database.execute('select mxid from global_threepid_associations');
    expect(rows).toHaveLength(last === undefined ? 0 : 1);
  });

  test('invite to one address at once, and its bind on either carries all of them, once', async () => {
    const { user, token } = await register('ada');
    const stored = await Promise.all(
      Array.from({ length: 8 }, () =>
        post('/store-invite', { ...INVITE, address: ADA, sender: user }, token),
      ),
    );
    const tokens = stored.map(({ json }) => json.token).sort();
    for (let n = 0; n < 8; n++) await nextMail();
    const { sid } = (await ask(1, token)).json;
    const proof = proofOf(sid);
    await post('/validate/email/submitToken', { ...proof, token: await codeMailed() }, token);
    await Promise.all([1, 2].map(() => post('/3pid/bind', { ...proof, mxid: user }, token)));
    await expect
      .poll(() =>
        hs.onbinds
          .flatMap(({ invites }) => invites)
          .map((invite: { token: string }) => invite.token)
          .sort(),
      )
      .toEqual(tokens);
  });

  test('one that logs out on one is logged out on the other, and accounts have their tokens together', async () => {
    const { token } = await register('ada');
    const again = await register('ada');
    expect((await post('/account/logout', {}, token)).status).toBe(200);
    expect((await get(`${root('v2')}/account`, {}, token)).status).toBe(401);
    expect((await get(`${root('v2')}/account`, {}, token)).status).toBe(401);
    expect((await get(`${root('v2')}/account`, {}, again.token)).status).toBe(200);
  });

  test('start at once, take over what Sydent left, and delete what is old, without getting in each other’s way', async () => {
    const old = 1000;
    await database.execute(
      `insert into threepid_validation_sessions (id, medium, address, "clientSecret", validated, mtime)
        select n, 'email', 'a' || n || '@x.test', 's', 0, ? from generate_series(1, 1500) n`,
      [old],
    );
    // Each deletes what is old when it starts.
    await Promise.all(nodes.map((node) => node.restart()));
    await expect
      .poll(() => database.execute('select id from threepid_validation_sessions limit 1'))
      .toEqual([]);
    const errors = nodes.flatMap(({ logs }) => logs.filter((line) => JSON.parse(line).level >= 50));
    expect(errors).toEqual([]);
  });
});
