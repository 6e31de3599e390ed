import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import {
  bind,
  certificateFolder,
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

describe.each(ENGINES)('what is unbound here, on %s,', (engine) => {
  const key = newSigningKey();
  const peer = { name: 'peer.test', pair: key.pair };
  const address = 'ada@sample.test';
  const OWN = '@own:hs.test';
  let ca: TestCa;
  let server: ReplicatingServer;
  let certificate: Awaited<ReturnType<typeof certificateFolder>>;

  beforeEach(async () => {
    ca = await createTestCa();
    server = await startReplicatingServer(ca, 'id.test', { engine });
    certificate = await certificateFolder(ca, peer.name);
    await introduce(server, { name: peer.name, publicKey: key.publicKey });
  });
  afterEach(async () => {
    await server.stop();
    await certificate.remove();
    await ca.remove();
  });

  let ids = 0;
  /** The peer binds the address so many milliseconds after now. */
  const peerBinds = async (mxid: string, after: number) => {
    const ts = server.clock.now() + after;
    const signed = signedAssociation(peer, { address, mxid, ts, not_before: 1 });
    const answer = await rawPush({
      url: server.replicationUrl,
      ca: ca.pem,
      cert: certificate.cert,
      key: certificate.key,
      body: JSON.stringify({ sgAssocs: { [++ids]: signed } }),
    });
    expect(answer.status).toBe(200);
  };

  test('takes along what others said that is not newer', async () => {
    await bind(server, address, OWN);
    await peerBinds('@older:peer.test', -1000);
    server.clock.advance(1000);
    await unbind(server, address, OWN);
    expect(await lookup(server, address)).toEqual({});
  });

  test('leaves what others said that is newer', async () => {
    await bind(server, address, OWN);
    await peerBinds('@newer:peer.test', 5000);
    await unbind(server, address, OWN);
    expect(await lookup(server, address)).toHaveProperty('mxid', '@newer:peer.test');
  });

  test('is unbound once: neither a bind nor a start does it again', async () => {
    await bind(server, address, OWN);
    await unbind(server, address, OWN);
    // From a peer whose clock is behind, and which learnt of it before.
    await peerBinds('@late:peer.test', -1000);
    await server.restart();
    await bind(server, 'other@sample.test', OWN);
    await server.restart();
    await bind(server, 'third@sample.test', OWN);
    await server.restart();
    expect(await lookup(server, address)).toHaveProperty('mxid', '@late:peer.test');
  });

  test('does not cost a newer row when the position is not known, as after Sydent', async () => {
    await bind(server, address, OWN);
    await unbind(server, address, OWN);
    await peerBinds('@newer:peer.test', 5000);
    await server.database.execute("delete from cognomen_state where key = 'log_position'");
    await server.restart();
    expect(await lookup(server, address)).toHaveProperty('mxid', '@newer:peer.test');
  });

  test('is not bound again by a start, and what Sydent unbound is unbound', async () => {
    await bind(server, address, OWN);
    await bind(server, 'kept@sample.test', OWN);
    const [entry] = (await server.database.execute(
      "select ts from local_threepid_associations where address = 'ada@sample.test'",
    )) as { ts: number | string }[];
    await server.database.execute(
      "delete from local_threepid_associations where address = 'ada@sample.test'",
    );
    await server.database.execute(
      "insert into local_threepid_associations (medium, address, ts) values ('email', 'ada@sample.test', ?)",
      [Number(entry?.ts) + 1],
    );
    await server.restart();
    expect(await lookup(server, address)).toEqual({});
    expect(await lookup(server, 'kept@sample.test')).toHaveProperty('mxid', OWN);
  });
});
