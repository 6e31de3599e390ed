import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { certificateWarnings } from '../../src/replication/certificates.ts';
import { decodeBase64 } from '../../src/signing/base64.ts';
import { verifySignedJson } from '../../src/signing/signed-json.ts';
import { ENGINES } from '../support/databases.ts';
import {
  bind,
  certificateFolder,
  deletion,
  introduce,
  lookup,
  newSigningKey,
  onDatabase,
  type ReplicatingServer,
  rawPush,
  signedAssociation,
  startReplicatingServer,
  unbind,
} from '../support/replicating-servers.ts';
import { type StandInPeer, startStandInPeer } from '../support/standin-peer.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const NAME = 'ID.Example.org';
const PATIENCE = { interval: 20 };

let ca: TestCa;
beforeAll(async () => {
  ca = await createTestCa();
});
afterAll(() => ca.remove());

describe.each(ENGINES)('a server whose name has capitals, on %s', (engine) => {
  let server: ReplicatingServer;
  let sydent: StandInPeer;

  beforeEach(async () => {
    server = await startReplicatingServer(ca, NAME, { engine });
    // It knows this server by exactly that name, in certificate and signatures.
    sydent = await startStandInPeer({ ca, name: 'sydent.test', pusher: server });
  });
  afterEach(async () => {
    await server.stop();
    await sydent.close();
  });

  test('signs, stores and pushes under the name as written', async () => {
    const { publicKey } = newSigningKey();
    await introduce(server, { name: 'sydent.test', publicKey, replicationUrl: sydent.url });
    const { json: bound } = await bind(server, 'ada@sample.test', '@ada:hs.test');
    expect(Object.keys(bound.signatures)).toEqual([NAME]);
    const key = decodeBase64(server.publicKey) ?? new Uint8Array();
    expect(verifySignedJson(bound, NAME, 'ed25519:0', key)).toBe(true);
    expect(await lookup(server, 'ada@sample.test')).toEqual(bound);
    expect(
      await server.database.execute('select "originServer" from global_threepid_associations'),
    ).toEqual([{ originServer: NAME }]);
    await expect.poll(sydent.ids, PATIENCE).toHaveLength(1);
    await unbind(server, 'ada@sample.test', '@ada:hs.test');
    await expect.poll(sydent.ids, PATIENCE).toHaveLength(2);
    for (const { sgAssocs } of sydent.taken) {
      for (const { signatures } of Object.values(sgAssocs)) {
        expect(Object.keys(signatures)).toEqual([NAME]);
      }
    }
  });
});

describe.each(ENGINES)(
  'a peer that writes its name in another case than its row, on %s',
  (engine) => {
    let server: ReplicatingServer;
    let certificate: Awaited<ReturnType<typeof certificateFolder>>;
    const key = newSigningKey();
    const inRow = 'peer.test';
    const written = { name: 'Peer.TEST', pair: key.pair };

    beforeEach(async () => {
      server = await startReplicatingServer(ca, 'id.test', { engine });
      certificate = await certificateFolder(ca, written.name);
      await introduce(server, { name: inRow, publicKey: key.publicKey });
    });
    afterEach(async () => {
      await server.stop();
      await certificate.remove();
    });

    const push = (sgAssocs: object) =>
      rawPush({
        url: server.replicationUrl,
        ca: ca.pem,
        cert: certificate.cert,
        key: certificate.key,
        body: JSON.stringify({ sgAssocs }),
      });
    const origins = () =>
      server.database.execute(
        'select "originServer" as origin, "originId" as id from global_threepid_associations order by id',
      );

    test('is that peer, whose signatures count', async () => {
      const address = 'ada@sample.test';
      expect(await push({ 1: signedAssociation(written, { address }) })).toMatchObject({
        status: 200,
      });
      expect(await lookup(server, address)).toHaveProperty('mxid');
      const stranger = { name: written.name, pair: newSigningKey().pair };
      expect(await push({ 2: signedAssociation(stranger, { address }) })).toMatchObject({
        status: 400,
      });
      const { ts } = await lookup(server, address);
      expect(await push({ 3: deletion(written, { address, ts: ts + 1 }) })).toMatchObject({
        status: 200,
      });
      expect(await lookup(server, address)).toEqual({});
    });

    test('goes on where it was when its row is given the other case', async () => {
      const first = signedAssociation(written, { address: 'ada@sample.test', ts: 1000 });
      const other = signedAssociation(written, { address: 'bob@sample.test', ts: 1000 });
      await push({ 1: first, 2: other });
      await onDatabase(server.config.db, ({ peers }) => peers.remove(inRow));
      await introduce(server, { name: written.name, publicKey: key.publicKey });
      // Sent again, replaced, and taken back.
      await push({ 1: first, 2: other });
      expect(await origins()).toHaveLength(2);
      await push({ 3: signedAssociation(written, { address: 'ada@sample.test', ts: 2000 }) });
      await push({ 4: deletion(written, { address: 'bob@sample.test', ts: 500 }) });
      expect(await origins()).toMatchObject([{ origin: written.name }]);
    });

    test('signs nothing in this server’s name', async () => {
      const address = 'forged@sample.test';
      const forged = signedAssociation(written, { address });
      for (const name of ['id.test', 'ID.test']) {
        const signatures = forged['signatures'] as Record<string, object>;
        signatures[name] = { 'ed25519:0': 'A'.repeat(86) };
      }
      expect(await push({ 1: forged })).toMatchObject({ status: 200 });
      const found = await lookup(server, address);
      expect(Object.keys(found.signatures).sort()).toEqual([written.name, 'id.test'].sort());
      const ours = decodeBase64(server.publicKey) ?? new Uint8Array();
      expect(verifySignedJson(found, 'id.test', 'ed25519:0', ours)).toBe(true);
    });
  },
);

test('a certificate is for the name in any case, but Sydent wants its Common Name exactly', async () => {
  const { cert, key } = await ca.issue('id.example.org');
  const certificates = { cert, key, ca: [] };
  expect(certificateWarnings(certificates, NAME, Date.now())).toEqual([
    expect.stringContaining('the Common Name is id.example.org; Sydent peers go by it'),
  ]);
  expect(certificateWarnings(certificates, 'id.example.org', Date.now())).toEqual([]);
});
