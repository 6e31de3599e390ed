import { cp, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { temporaryFolder } from '../support/databases.ts';
import { get, postJson } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const FIXTURE = fileURLToPath(new URL('../fixtures/sydent-2.7', import.meta.url));
const expected = JSON.parse(await readFile(path.join(FIXTURE, 'expected.json'), 'utf8'));
// Later than what is in the database.
const AFTER = expected.signed.ts + 60_000;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let file: string;
let server: TestServer;

const start = () =>
  startTestServer({
    now: AFTER,
    signingKey: expected.signingkey,
    sections: { db: `db.file = ${file}` },
  });
const v1 = () => `${server.url}/_matrix/identity/api/v1`;
const lookup = async (address: string, medium = 'email') =>
  (await get(`${v1()}/lookup`, { medium, address })).json;
const internal = (action: string, address: string, mxid: string) =>
  postJson(`${server.internalUrl}/_matrix/identity/internal/${action}`, {
    address,
    medium: 'email',
    mxid,
  });

beforeEach(async () => {
  folder = await temporaryFolder();
  await cp(FIXTURE, folder.path, { recursive: true });
  file = path.join(folder.path, 'sydent.db');
  server = await start();
});
afterEach(async () => {
  await server.stop();
  await folder.remove();
});

test('everything Sydent 2.7 knew is known', async () => {
  expect(await lookup('Ada@Sample.test')).toEqual(expected.signed);
  for (const [address, mxid] of expected.bound) expect((await lookup(address)).mxid).toBe(mxid);
  const [number, mxid] = expected.msisdn;
  expect((await lookup(number, 'msisdn')).mxid).toBe(mxid);
  expect(await lookup(expected.gone)).toEqual({});
  const many = await postJson(`${v1()}/bulk_lookup`, {
    threepids: [
      ...expected.bound.map(([address]: [string]) => ['email', address]),
      ['email', expected.gone],
    ],
  });
  expect(many.json.threepids).toEqual(
    expected.bound.map(([address, user]: [string, string]) => ['email', address, user]),
  );
  const { sid, client_secret, address } = expected.session;
  const session = await get(`${v1()}/3pid/getValidated3pid`, { sid, client_secret });
  expect(session.json).toEqual({ medium: 'email', address, validated_at: 99999999999999 });
  expect((await get(`${v1()}/pubkey/ed25519:0`)).json).toEqual({ public_key: expected.public });
  const key = { public_key: expected.invite.ephemeral };
  expect((await get(`${v1()}/pubkey/ephemeral/isvalid`, key)).json).toEqual({ valid: true });
  const bound = await postJson(`${v1()}/3pid/bind`, { sid, client_secret, mxid: '@w:sample.test' });
  expect(bound.json).toMatchObject({ address, mxid: '@w:sample.test' });
});

test('and Sydent can go on with what we wrote, and we with what it wrote then', async () => {
  await internal('bind', 'ada@sample.test', '@ada2:sample.test');
  await internal('unbind', 'alan@sample.test', '@alan:sample.test');
  const asked = await postJson(`${v1()}/validate/email/requestToken`, {
    email: 'New@sample.test',
    client_secret: 'abc',
    send_attempt: 1,
  });
  const { sid } = asked.json;
  await server.app.close();

  // The statements are those Sydent works with.
  const db = new Database(file);
  // As in Python; the schema refers to a table that does not exist.
  db.pragma('foreign_keys = OFF');
  expect(db.pragma('user_version', { simple: true })).toBe(5);
  expect(db.prepare('select lookup_pepper from hashing_metadata').pluck().get()).toBe(
    expected.pepper,
  );
  const local = db.prepare('select id, mxid from local_threepid_associations where address = ?');
  expect(local.get('ada@sample.test')).toEqual({ id: 7, mxid: '@ada2:sample.test' });
  expect(local.get('alan@sample.test')).toEqual({ id: 8, mxid: null });
  const session = db
    .prepare(
      'select s.id, s.medium, s.address, s.clientSecret, s.validated, s.mtime, t.token, t.sendAttemptNumber from threepid_validation_sessions s, threepid_token_auths t where s.id = ? and t.validationSession = s.id',
    )
    .all(Number(sid));
  expect(session).toMatchObject([
    {
      medium: 'email',
      address: 'New@sample.test',
      clientSecret: 'abc',
      validated: 0,
      sendAttemptNumber: 1,
    },
  ]);
  expect((session[0] as { token: string }).token).toMatch(/^[A-Za-z0-9]{32}$/);
  db.prepare('update threepid_validation_sessions set validated = 1, mtime = ? where id = ?').run(
    AFTER,
    Number(sid),
  );
  // A bind, but killed before it reached the global table; and a whole one; and an unbind.
  const bind = db.prepare(
    "insert or replace into local_threepid_associations ('medium', 'address', 'lookup_hash', 'mxid', 'ts', 'notBefore', 'notAfter') values ('email', ?, 'h', ?, ?, ?, ?)",
  );
  bind.run('half@sample.test', '@half:sample.test', AFTER, AFTER, AFTER + 10_000_000);
  bind.run('grace.h@sample.test', null, AFTER, null, null);
  db.prepare(
    "insert into global_threepid_associations (medium, address, mxid, ts, notBefore, notAfter, originServer, originId, sgAssoc, lookup_hash) values ('email', 'peers@sample.test', '@p:sample.test', ?, 1, 9999999999999, 'peer.test', 5, '{\"invites\": [1], \"mxid\": \"@p:sample.test\", \"signatures\": {\"peer.test\": {}}}', 'h')",
  ).run(AFTER);
  db.prepare(
    "insert into threepid_validation_sessions ('id', 'medium', 'address', 'clientSecret', 'mtime') values (77, 'email', 'Old@Sample.test', 'xyz', ?)",
  ).run(AFTER);
  db.prepare(
    "insert into threepid_token_auths ('validationSession', 'token', 'sendAttemptNumber') values (77, 'TOKEN77', 3)",
  ).run();
  db.close();

  await server.stop();
  server = await start();
  expect((await lookup('ada@sample.test')).mxid).toBe('@ada2:sample.test');
  expect((await lookup('half@sample.test')).mxid).toBe('@half:sample.test');
  expect(await lookup('grace.h@sample.test')).toEqual({});
  const peers = await lookup('Peers@sample.test');
  expect(Object.keys(peers.signatures)).toEqual(['id.test']);
  expect(peers).not.toHaveProperty('invites');
  const query = { sid, client_secret: 'abc' };
  expect((await get(`${v1()}/3pid/getValidated3pid`, query)).status).toBe(200);
  const submitted = await postJson(`${v1()}/validate/email/submitToken`, {
    sid: '77',
    client_secret: 'xyz',
    token: 'TOKEN77',
  });
  expect(submitted.json).toEqual({ success: true });
  const again = await postJson(`${v1()}/validate/email/requestToken`, {
    email: 'old@sample.test',
    client_secret: 'xyz',
    send_attempt: 3,
  });
  expect(again.json.sid).toBe('77');
});

test('a deletion that Sydent applied already does not take a newer row of a peer again', async () => {
  await server.app.close();
  const db = new Database(file);
  db.prepare(
    "insert into global_threepid_associations (medium, address, mxid, ts, notBefore, notAfter, originServer, originId, sgAssoc) values ('email', ?, '@p:sample.test', ?, 1, 9999999999999, 'peer.test', 5, '{}')",
  ).run(expected.gone, expected.signed.ts + 1000);
  db.close();
  await server.stop();
  server = await start();
  await internal('bind', 'other@sample.test', '@other:sample.test');
  expect((await lookup(expected.gone)).signatures).toHaveProperty(['id.test']);
});

test('old rows in mixed case are found, rebound and unbound', async () => {
  await server.app.close();
  const db = new Database(file);
  const { lastInsertRowid } = db
    .prepare(
      "insert into local_threepid_associations (medium, address, mxid, ts, notBefore, notAfter, lookup_hash) values ('email', 'JÜRGEN@Sample.test', '@j:sample.test', 1000, 1000, 9999999999999, 'old')",
    )
    .run();
  db.prepare(
    "insert into global_threepid_associations (medium, address, mxid, ts, notBefore, notAfter, originServer, originId, sgAssoc, lookup_hash) values ('email', 'JÜRGEN@Sample.test', '@j:sample.test', 1000, 1000, 9999999999999, 'id.test', ?, '{\"address\": \"JÜRGEN@Sample.test\", \"signatures\": {\"id.test\": {}}}', 'old')",
  ).run(lastInsertRowid);
  db.close();
  await server.stop();
  server = await start();
  expect((await lookup('jürgen@sample.TEST')).address).toBe('JÜRGEN@Sample.test');
  await internal('unbind', 'jürgen@sample.test', '@j:sample.test');
  expect(await lookup('JÜRGEN@sample.test')).toEqual({});
  await internal('bind', 'Jürgen@sample.test', '@k:sample.test');
  expect((await lookup('JÜRGEN@sample.test')).mxid).toBe('@k:sample.test');
});
