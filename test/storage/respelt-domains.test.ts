import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lookupHash } from '../../src/model/lookup-hash.ts';
import { createDatabase, ENGINES, type TestDatabase } from '../support/databases.ts';
import { get, postJson } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const NOW = Date.UTC(2025, 0, 2);

/** Spellings under which the same mailbox was stored. */
const STORED = [
  ['in A-labels', 'ada@xn--bcher-kva.example'],
  ['decomposed', 'ada@bu\u0308cher.example'],
  ['in full width', 'ada@ｂücher.example'],
] as const;

/** Spellings that are typed. */
const TYPED = [
  'ada@bücher.example',
  'Ada@BÜCHER.example',
  'ada@xn--bcher-kva.example',
  'ADA@XN--BCHER-KVA.Example',
  'ada@bu\u0308cher.example',
];

describe.each(ENGINES)('one mailbox under several spellings of its domain, on %s,', (engine) => {
  let database: TestDatabase;
  let server: TestServer;
  beforeEach(async () => {
    database = await createDatabase(engine);
    server = await startTestServer({ engine, now: NOW, database });
  });
  afterEach(async () => {
    await server.stop();
    await database.drop();
  });

  const v1 = (path: string) => `${server.url}/_matrix/identity/api/v1${path}`;

  /** As an earlier version had it: with keys, and read past. */
  async function boundEarlier(address: string, mxid: string, ts = 5): Promise<void> {
    const values = ['email', address, mxid, ts];
    const [entry] = await database.execute(
      'insert into local_threepid_associations (medium, address, mxid, ts, "notBefore", "notAfter") values (?, ?, ?, ?, 1, 4000000000000) returning id',
      values,
    );
    const { id: originId } = entry as { id: number };
    const signed = { medium: 'email', address, mxid, ts, not_before: 1, not_after: 4000000000000 };
    await stored(values, 'id.test', originId, JSON.stringify({ ...signed, signatures: {} }));
    await setState('log_position', originId);
  }
  async function stored(
    values: (string | number)[],
    origin: string,
    originId: number,
    signed: string,
  ): Promise<void> {
    const [row] = await database.execute(
      'insert into global_threepid_associations (medium, address, mxid, ts, "notBefore", "notAfter", "originServer", "originId", "sgAssoc") values (?, ?, ?, ?, 1, 4000000000000, ?, ?, ?) returning id',
      [...values, origin, originId, signed],
    );
    const { id } = row as { id: number };
    const address = String(values[1]);
    const [pepper] = await database.execute('select lookup_pepper from hashing_metadata');
    await database.execute(
      'insert into cognomen_lookup_keys (spelling, lookup_hash, global_id) values (?, ?, ?)',
      [
        address,
        lookupHash(address, 'email', (pepper as { lookup_pepper: string }).lookup_pepper),
        id,
      ],
    );
    await setState('index_position', id);
  }
  async function setState(key: string, value: number): Promise<void> {
    await database.execute('delete from cognomen_state where key = ?', [key]);
    await database.execute('insert into cognomen_state (key, value) values (?, ?)', [
      key,
      String(value),
    ]);
  }

  const internal = (action: string, address: string, mxid: string) =>
    postJson(`${server.internalUrl}/_matrix/identity/internal/${action}`, {
      medium: 'email',
      address,
      mxid,
    });

  async function byAddress(address: string): Promise<string | undefined> {
    return (await get(v1('/lookup'), { medium: 'email', address })).json.mxid;
  }
  async function byHash(spelling: string): Promise<string | undefined> {
    const v2 = `${server.url}/_matrix/identity/v2`;
    const token = await server.token('@asks:hs.test');
    const { lookup_pepper: pepper } = (await get(`${v2}/hash_details`, {}, token)).json;
    const hash = lookupHash(spelling, 'email', pepper);
    const body = { addresses: [hash], algorithm: 'sha256', pepper };
    return (await postJson(`${v2}/lookup`, body, token)).json.mappings[hash];
  }
  async function expectFound(mxid: string | undefined): Promise<void> {
    for (const typed of TYPED) expect(await byAddress(typed), typed).toBe(mxid);
    const bulk = await postJson(v1('/bulk_lookup'), {
      threepids: TYPED.map((typed) => ['email', typed]),
    });
    expect(bulk.json.threepids.map((found: string[]) => found[2])).toEqual(
      mxid === undefined ? [] : TYPED.map(() => mxid),
    );
    for (const hashed of ['ada@bücher.example', 'ada@xn--bcher-kva.example']) {
      expect(await byHash(hashed), hashed).toBe(mxid);
    }
  }

  test.each(STORED)('stored %s, is found and taken back', async (_how, address) => {
    for (const typed of TYPED.slice(1, 4)) {
      await server.app.close();
      await boundEarlier(address, '@ada:hs.test');
      await database.execute("delete from cognomen_state where key = 'associations_respelt'");
      await server.restart();
      await expectFound('@ada:hs.test');
      await internal('unbind', typed, '@ada:hs.test');
      await expectFound(undefined);
    }
  });

  test.each(STORED)('stored %s, is replaced by a new bind', async (_how, address) => {
    await boundEarlier(address, '@ada:hs.test', NOW + 5000);
    await server.restart();
    await internal('bind', 'ada@xn--bcher-kva.example', '@eve:hs.test');
    await expectFound('@eve:hs.test');
    const rows = await database.execute('select mxid from global_threepid_associations');
    expect(rows).toEqual([{ mxid: '@eve:hs.test' }]);
    const log = await database.execute('select address, mxid from local_threepid_associations');
    expect(log).toEqual([{ address: 'ada@bücher.example', mxid: '@eve:hs.test' }]);
  });

  test('bound in A-labels, is one with that in letters', async () => {
    await internal('bind', 'ada@xn--bcher-kva.example', '@ada:hs.test');
    await expectFound('@ada:hs.test');
    await internal('bind', 'ada@bücher.example', '@eve:hs.test');
    await expectFound('@eve:hs.test');
    expect(await database.execute('select mxid from global_threepid_associations')).toHaveLength(1);
  });

  test('sent by a peer in A-labels, keeps what was signed', async () => {
    const signed = JSON.stringify({
      medium: 'email',
      address: 'ada@xn--bcher-kva.example',
      mxid: '@ada:peer.test',
      ts: 5,
      not_before: 1,
      not_after: 4000000000000,
      signatures: { 'peer.test': { a: 'b' } },
    });
    await stored(
      ['email', 'ada@xn--bcher-kva.example', '@ada:peer.test', 5],
      'peer.test',
      1,
      signed,
    );
    await server.restart();
    await expectFound('@ada:peer.test');
    const found = await get(v1('/lookup'), { medium: 'email', address: 'ada@bücher.example' });
    expect(found.json.address).toBe('ada@xn--bcher-kva.example');
    expect(found.json.signatures['peer.test']).toEqual({ a: 'b' });
  });

  test('is counted as contested when two users had it', async () => {
    await boundEarlier('ada@xn--bcher-kva.example', '@one:hs.test');
    await boundEarlier('ada@bücher.example', '@two:hs.test', 6);
    await server.restart();
    expect(server.logs.some((line) => line.includes('several spellings'))).toBe(true);
    await expectFound('@two:hs.test');
  });

  test('is not the mailbox of a domain that folding would make of it', async () => {
    await boundEarlier('ada@fass.example', '@rightful:hs.test', 5);
    await boundEarlier('ada@xn--fa-hia.example', '@other:hs.test', 6);
    await server.restart();
    for (const typed of ['ada@fass.example', 'ada@faß.example']) {
      expect(await byAddress(typed)).toBe('@rightful:hs.test');
    }
    expect(await byAddress('ada@XN--FA-HIA.example')).toBe('@other:hs.test');
    await internal('bind', 'ada@xn--fa-hia.example', '@third:hs.test');
    await internal('unbind', 'ada@xn--fa-hia.example', '@rightful:hs.test');
    expect(await byAddress('ada@fass.example')).toBe('@rightful:hs.test');
    expect(await byHash('ada@fass.example')).toBe('@rightful:hs.test');
  });

  test.each(STORED)('invited %s, gets the invitation', async (_how, address) => {
    await database.execute(
      "insert into invite_tokens (medium, address, room_id, sender, token, received_ts) values ('email', ?, '!r:hs.test', '@bob:hs.test', 'tok', ?)",
      [address, NOW / 1000],
    );
    await server.restart();
    const { json } = await internal('bind', 'ada@xn--bcher-kva.example', '@ada:hs.test');
    expect(json.invites).toHaveLength(1);
  });

  test('invited in A-labels, is taken when it is bound in letters', async () => {
    await internal('bind', 'ada@bücher.example', '@ada:hs.test');
    const { json } = await postJson(v1('/store-invite'), {
      medium: 'email',
      address: 'ada@xn--bcher-kva.example',
      room_id: '!r:hs.test',
      sender: '@bob:hs.test',
    });
    expect(json).toMatchObject({ errcode: 'M_THREEPID_IN_USE', mxid: '@ada:hs.test' });
  });

  test('has one session, also one that was begun under an earlier spelling', async () => {
    const ask = (email: string) =>
      postJson(v1('/validate/email/requestToken'), {
        email,
        client_secret: 'secret',
        send_attempt: 1,
      });
    const { sid } = (await ask('ada@bücher.example')).json;
    for (const typed of TYPED) expect((await ask(typed)).json.sid).toBe(sid);
    expect(server.smtp.mails).toHaveLength(1);
    for (const [, address] of STORED) {
      await database.execute('update cognomen_sessions set address = ?', [address]);
      await server.restart();
      for (const typed of TYPED) expect((await ask(typed)).json.sid).toBe(sid);
    }
  });

  test('has one limit', async () => {
    await server.stop();
    server = await startTestServer({
      engine,
      now: NOW,
      database,
      sections: {
        general: 'limits.enforce = true',
        limits: 'email.ratelimit_recipient.burst = 2\nmail.recipient_share.burst = 0',
      },
    });
    const statuses: number[] = [];
    for (const [index, email] of TYPED.slice(0, 3).entries()) {
      const { status } = await postJson(v1('/validate/email/requestToken'), {
        email,
        client_secret: `secret${index}`,
        send_attempt: 1,
      });
      statuses.push(status);
    }
    expect(statuses).toEqual([200, 200, 429]);
  });
});
