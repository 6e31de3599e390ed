import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lookupHash } from '../../src/model/lookup-hash.ts';
import { ENGINES } from '../support/databases.ts';
import { get, postJson } from '../support/http.ts';
import {
  bind,
  certificateFolder,
  deletion,
  introduce,
  lookup,
  newSigningKey,
  type ReplicatingServer,
  rawPush,
  signedAssociation,
  startReplicatingServer,
  unbind,
} from '../support/replicating-servers.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const DAY = 24 * 60 * 60 * 1000;
const address = 'ada@sample.test';
const OWN = '@own:hs.test';
const NEW = '@new:hs.test';

describe.each(ENGINES)('a row dated into the future by an earlier version, on %s,', (engine) => {
  let ca: TestCa;
  let server: ReplicatingServer;
  const peers = ['peer.test', 'other.test'].map((name) => ({ name, key: newSigningKey() }));
  let certificates: Awaited<ReturnType<typeof certificateFolder>>[];
  let token: string;
  let ids: number;

  beforeEach(async () => {
    ca = await createTestCa();
    server = await startReplicatingServer(ca, 'id.test', { engine });
    certificates = await Promise.all(peers.map(({ name }) => certificateFolder(ca, name)));
    for (const { name, key } of peers) await introduce(server, { name, publicKey: key.publicKey });
    token = await server.token('@asks:hs.test');
    ids = 100;
  });
  afterEach(async () => {
    await server.stop();
    for (const certificate of certificates) await certificate.remove();
    await ca.remove();
  });

  const now = () => server.clock.now();

  async function push(from: number, make: typeof signedAssociation, fields: object, id = ++ids) {
    const { name, key } = peers[from] as (typeof peers)[number];
    const certificate = certificates[from] as (typeof certificates)[number];
    const signed = make({ name, pair: key.pair }, { address, ts: now(), not_before: 1, ...fields });
    const answer = await rawPush({
      url: server.replicationUrl,
      ca: ca.pem,
      cert: certificate.cert,
      key: certificate.key,
      body: JSON.stringify({ sgAssocs: { [id]: signed } }),
    });
    expect(answer).toMatchObject({ status: 200, json: { success: true } });
  }
  const peerBinds = (mxid: string, fields = {}, from = 0) =>
    push(from, signedAssociation, { mxid, ...fields });
  const peerUnbinds = (from = 0) => push(from, deletion, { not_before: null });

  /** As earlier versions took it: dates what is bound to that user, wherever that stands. */
  async function redate(mxid: string, ts = now() + 3 * DAY): Promise<void> {
    for (const table of ['global', 'local']) {
      const statement = `update ${table}_threepid_associations set ts = ? where mxid = ?`;
      await server.database.execute(statement, [ts, mxid]);
    }
  }

  /** What each kind of lookup says of the address. */
  async function everyLookup(): Promise<Record<string, string | undefined>> {
    const v1 = `${server.url}/_matrix/identity/api/v1`;
    const v2 = `${server.url}/_matrix/identity/v2`;
    const { lookup_pepper: pepper } = (await get(`${v2}/hash_details`, {}, token)).json;
    const bulk = await postJson(`${v1}/bulk_lookup`, { threepids: [['email', address]] });
    const mapped = async (algorithm: string, key: string) =>
      (await postJson(`${v2}/lookup`, { addresses: [key], algorithm, pepper }, token)).json
        .mappings[key];
    return {
      v1: (await lookup(server, address)).mxid,
      bulk: bulk.json.threepids[0]?.[2],
      sha256: await mapped('sha256', lookupHash(address, 'email', pepper)),
      none: await mapped('none', `${address} email`),
    };
  }
  const all = (mxid: string | undefined) => ({ v1: mxid, bulk: mxid, sha256: mxid, none: mxid });

  /** The dates in both tables are such as peers take. */
  async function expectDatesOfToday(): Promise<void> {
    for (const table of ['global', 'local']) {
      const statement = `select ts from ${table}_threepid_associations`;
      for (const { ts } of (await server.database.execute(statement)) as { ts: number }[]) {
        expect(Number(ts)).toBeLessThanOrEqual(now() + DAY);
      }
    }
  }

  /** Time goes by until the date is no longer ahead: it must not come back then. */
  async function expectForGood(mxid: string | undefined): Promise<void> {
    expect(await everyLookup()).toEqual(all(mxid));
    await expectDatesOfToday();
    server.clock.advance(2.5 * DAY);
    expect(await everyLookup()).toEqual(all(mxid));
    server.clock.advance(DAY);
    await server.restart();
    expect(await everyLookup()).toEqual(all(mxid));
  }

  test('of a peer does not stand in the way of a binding here', async () => {
    await peerBinds('@ahead:x.test');
    await redate('@ahead:x.test');
    expect(await everyLookup()).toEqual(all('@ahead:x.test'));
    await bind(server, address, OWN);
    await expectForGood(OWN);
  });

  test('of the end of time, neither', async () => {
    await peerBinds('@ahead:x.test');
    await redate('@ahead:x.test', Number.MAX_SAFE_INTEGER);
    await bind(server, address, OWN);
    await expectForGood(OWN);
  });

  test('of this server does not stand in the way of another binding here', async () => {
    await bind(server, address, OWN);
    await redate(OWN);
    await bind(server, address, NEW);
    await expectForGood(NEW);
  });

  test('of this server is unbound', async () => {
    await bind(server, address, OWN);
    await redate(OWN);
    await unbind(server, address, OWN);
    await expectForGood(undefined);
    await bind(server, address, NEW);
    expect(await everyLookup()).toEqual(all(NEW));
  });

  test('of a deletion of this server does not stand in the way of a binding', async () => {
    await bind(server, address, OWN);
    await unbind(server, address, OWN);
    await server.database.execute('update local_threepid_associations set ts = ?', [
      now() + 3 * DAY,
    ]);
    await bind(server, address, NEW);
    await expectForGood(NEW);
  });

  test('of a peer is taken along by an unbind here', async () => {
    await bind(server, address, OWN);
    await peerBinds('@ahead:x.test');
    await redate('@ahead:x.test');
    await unbind(server, address, OWN);
    await expectForGood(undefined);
  });

  test.each([
    ['the same peer', 0],
    ['another peer', 1],
  ])('does not stand in the way of a binding by %s', async (_who, from) => {
    await peerBinds('@ahead:x.test');
    await redate('@ahead:x.test');
    await peerBinds(NEW, {}, from);
    await expectForGood(NEW);
  });

  test('of this server does not stand in the way of a binding by a peer', async () => {
    await bind(server, address, OWN);
    await redate(OWN);
    await peerBinds(NEW);
    expect(await everyLookup()).toEqual(all(NEW));
  });

  test.each([
    ['the same peer', 0],
    ['another peer', 1],
  ])('is taken back by %s', async (_who, from) => {
    await peerBinds('@ahead:x.test');
    await redate('@ahead:x.test');
    await peerUnbinds(from);
    await expectForGood(undefined);
  });

  test('stays when the same peer’s earlier binding comes late', async () => {
    await push(0, signedAssociation, { mxid: '@ahead:x.test' }, 50);
    await redate('@ahead:x.test');
    await push(0, signedAssociation, { mxid: '@late:x.test' }, 49);
    expect(await everyLookup()).toEqual(all('@ahead:x.test'));
  });

  test('stays when the same peer’s earlier deletion comes late', async () => {
    await push(0, signedAssociation, { mxid: '@ahead:x.test' }, 50);
    await redate('@ahead:x.test');
    await push(0, deletion, { not_before: null }, 49);
    expect(await everyLookup()).toEqual(all('@ahead:x.test'));
  });

  test('at a peer does not stand in the way of what is bound here since', async () => {
    const other = await startReplicatingServer(ca, 'id2.test', { engine });
    try {
      await introduce(server, other);
      await introduce(other, server);
      await bind(server, address, OWN);
      await expect.poll(() => lookup(other, address)).toMatchObject({ mxid: OWN });
      await redate(OWN);
      await other.database.execute('update global_threepid_associations set ts = ?', [
        now() + 3 * DAY,
      ]);
      await bind(server, address, NEW);
      await expect.poll(() => lookup(other, address)).toMatchObject({ mxid: NEW });
    } finally {
      await other.stop();
    }
  });

  test('is one dated more than a day ahead: of others the newest wins, as ever', async () => {
    const ts = now() + DAY;
    await peerBinds('@soon:x.test', { ts });
    await bind(server, address, OWN);
    expect(await lookup(server, address)).toMatchObject({ mxid: OWN });
    await unbind(server, address, OWN);
    await peerBinds('@soon:x.test', { ts });
    await peerBinds('@now:x.test', {}, 1);
    expect(await everyLookup()).toEqual(all('@soon:x.test'));
  });
});
