import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import {
  bind,
  certificateFolder,
  lookup,
  newSigningKey,
  type ReplicatingServer,
  rawPush,
  signedAssociation,
  startReplicatingServer,
} from '../support/replicating-servers.ts';
import { type StandInPeer, startStandInPeer } from '../support/standin-peer.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const PATIENCE = { timeout: 15_000 };

describe.each(ENGINES)('a peer that was written into the tables by hand, on %s,', (engine) => {
  const key = newSigningKey();
  let ca: TestCa;
  let server: ReplicatingServer;
  let peer: StandInPeer;

  beforeAll(async () => {
    ca = await createTestCa();
    // Who pushes is known once the server is there; whom it pushes to stands in its configuration.
    const pusher = { name: 'origin.test', publicKey: '' };
    peer = await startStandInPeer({ ca, name: 'sydent.test', pusher });
    server = await startReplicatingServer(ca, pusher.name, {
      engine,
      http: `[peer.sydent.test]\nbase_replication_url = ${peer.url}/`,
    });
    pusher.publicKey = server.publicKey;
    await server.database.execute('insert into peers (name, active) values (?, 1)', [
      'sydent.test',
    ]);
    await server.database.execute(
      "insert into peer_pubkeys (peername, alg, key) values (?, 'ed25519', ?)",
      ['sydent.test', key.publicKey],
    );
  });
  afterAll(async () => {
    await server?.stop();
    await peer?.close();
    await ca?.remove();
  });

  const row = async () => {
    const rows = await server.database.execute('select * from peers where name = ?', [
      'sydent.test',
    ]);
    return rows[0] as Record<string, unknown>;
  };

  test('is pushed to where [peer.NAME] says, and the row says how far', async () => {
    await bind(server, 'ada@sample.test', '@ada:sample.test');
    await expect.poll(() => peer.ids(), PATIENCE).toEqual([1]);
    await expect.poll(async () => Number((await row())['lastSentVersion']), PATIENCE).toBe(1);
    expect(Number((await row())['lastPokeSucceededAt'])).toBe(server.clock.now());
  });

  test('gets everything once more when lastSentVersion is set to null', async () => {
    await server.database.execute('update peers set "lastSentVersion" = null');
    await expect.poll(() => peer.ids(), PATIENCE).toEqual([1, 1]);
  });

  test('pushes, and is believed by its key', async () => {
    const certificate = await certificateFolder(ca, 'sydent.test');
    const association = signedAssociation(
      { name: 'sydent.test', pair: key.pair },
      { address: 'grace@sample.test', mxid: '@grace:sample.test' },
    );
    const { status } = await rawPush({
      url: server.replicationUrl,
      ca: ca.pem,
      cert: certificate.cert,
      key: certificate.key,
      body: JSON.stringify({ sgAssocs: { 7: association } }),
    });
    await certificate.remove();
    expect(status).toBe(200);
    expect((await lookup(server, 'grace@sample.test')).mxid).toBe('@grace:sample.test');
  });

  test('that is not active is not listened to', async () => {
    await server.database.execute('update peers set active = 0');
    const certificate = await certificateFolder(ca, 'sydent.test');
    const refused = await rawPush({
      url: server.replicationUrl,
      ca: ca.pem,
      cert: certificate.cert,
      key: certificate.key,
      body: '{"sgAssocs": {}}',
    });
    await certificate.remove();
    expect([refused.status, refused.json.errcode]).toEqual([403, 'M_UNKNOWN_PEER']);
  });
});
