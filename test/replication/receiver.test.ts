import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
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
  onDatabase,
  PUSH_PATH,
  type ReplicatingServer,
  rawPush,
  signedAssociation,
  startReplicatingServer,
} from '../support/replicating-servers.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

let ca: TestCa;
let otherCa: TestCa;
beforeAll(async () => {
  [ca, otherCa] = await Promise.all([createTestCa(), createTestCa()]);
});
afterAll(async () => {
  await ca.remove();
  await otherCa.remove();
});

const key = newSigningKey();
const oldKey = newSigningKey();
const strangerKey = newSigningKey();
const peer = { name: 'peer.test', pair: key.pair };

describe.each(ENGINES)('the replication listener on %s', (engine) => {
  let server: ReplicatingServer;
  let certificate: Awaited<ReturnType<typeof certificateFolder>>;
  let tls: { url: string; ca: string; cert: string; key: string };
  let ids = 0;

  /** For what never gets as far as the database. */
  const describeOnce = engine === 'sqlite' ? describe : () => {};
  const nextId = () => String(++ids);
  const push = (sgAssocs: unknown) => rawPush({ ...tls, body: JSON.stringify({ sgAssocs }) });
  /** Pushes one association under the next id. */
  const pushOne = (association: object) => push({ [nextId()]: association });

  beforeAll(async () => {
    server = await startReplicatingServer(ca, 'id.test', { engine });
    certificate = await certificateFolder(ca, peer.name);
    tls = { url: server.replicationUrl, ca: ca.pem, cert: certificate.cert, key: certificate.key };
    await introduce(server, { name: peer.name, publicKey: key.publicKey });
  });
  afterAll(async () => {
    await server?.stop();
    await certificate?.remove();
  });

  describe('lets in', () => {
    test('nobody without a certificate', async () => {
      await expect(rawPush({ url: tls.url, ca: tls.ca, body: '{}' })).rejects.toThrow();
    });

    test('nobody with a certificate of another authority', async () => {
      const { cert, key: certKey } = await otherCa.issue(peer.name);
      await expect(
        rawPush({ url: tls.url, ca: tls.ca, cert, key: certKey, body: '{}' }),
      ).rejects.toThrow();
    });

    test('no peer it does not know, whatever it asks for', async () => {
      const { cert, key: certKey } = await ca.issue('unknown.test');
      for (const request of [
        { body: JSON.stringify({ sgAssocs: {} }) },
        { body: 'nonsense', contentType: null },
        { path: '/', method: 'GET' },
      ]) {
        const answer = await rawPush({ ...tls, cert, key: certKey, ...request });
        expect(answer).toMatchObject({ status: 403, json: { errcode: 'M_UNKNOWN_PEER' } });
      }
    });

    test('no method but POST and no other path, whatever Content-Type is named', async () => {
      for (const contentType of ['application/json', '\xff', '/', 'text/plain']) {
        const odd = { ...tls, body: '{}', contentType };
        const put = await rawPush({ ...odd, method: 'PUT' });
        expect([400, 405]).toContain(put.status);
        const elsewhere = await rawPush({ ...odd, path: '/elsewhere' });
        expect([400, 404]).toContain(elsewhere.status);
        for (const { json } of [put, elsewhere]) expect(json.errcode).toMatch(/^M_/);
      }
    });

    test('no peer that is inactive or has no key', async () => {
      await onDatabase(server.config.db, ({ peers }) => peers.setActive(peer.name, false));
      expect(await push({})).toMatchObject({ status: 403, json: { errcode: 'M_UNKNOWN_PEER' } });
      await onDatabase(server.config.db, ({ peers }) => peers.setActive(peer.name, true));
      expect(await push({})).toMatchObject({ status: 200, json: { success: true } });
    });

    test('a peer known by a subject alternative name', async () => {
      const { cert, key: certKey } = await ca.issue('host.example', 'PEER.test');
      const body = JSON.stringify({
        sgAssocs: { [nextId()]: signedAssociation(peer, { address: 'san@sample.test' }) },
      });
      expect(await rawPush({ ...tls, cert, key: certKey, body })).toMatchObject({ status: 200 });
      expect(await lookup(server, 'san@sample.test')).toHaveProperty('mxid');
    });

    test('a peer whose row has its name in another case', async () => {
      const name = 'Mixed.Test';
      const rows = server.database;
      await rows.execute('insert into peers (name, active) values (?, 1)', [name]);
      await rows.execute('insert into peer_pubkeys (peername, alg, key) values (?, ?, ?)', [
        name,
        'ed25519',
        oldKey.publicKey,
      ]);
      const mixed = signedAssociation(
        { name, pair: oldKey.pair },
        { address: 'mixed@sample.test' },
      );
      for (const certified of ['mixed.test', name]) {
        const { cert, key: certKey } = await ca.issue(certified);
        const body = JSON.stringify({ sgAssocs: { 1: mixed } });
        const answer = await rawPush({ ...tls, cert, key: certKey, body });
        expect(answer).toMatchObject({ status: 200 });
      }
      expect(await lookup(server, 'mixed@sample.test')).toHaveProperty('mxid');
    });
  });

  describeOnce('refuses, and stores nothing of,', () => {
    let intact: Record<string, object>;
    beforeEach(() => {
      intact = { [nextId()]: signedAssociation(peer, { address: 'intact@sample.test' }) };
    });

    test.each<[string, () => unknown]>([
      ['a forged signature', () => signedAssociation({ ...peer, pair: strangerKey.pair })],
      [
        'one signed by somebody else',
        () => signedAssociation({ name: 'stranger.test', pair: strangerKey.pair }),
      ],
      ['one signed by the peer in another’s name', () => signedAssociation({ ...peer, name: 'x' })],
      ['one changed after signing', () => ({ ...signedAssociation(peer), mxid: '@eve:x.test' })],
      ['one without signatures', () => ({ ...signedAssociation(peer), signatures: undefined })],
      ['another kind of key', () => signedAssociation({ ...peer, keyId: 'rsa:0' })],
      ['signatures that are a list', () => ({ ...signedAssociation(peer), signatures: [1] })],
      ['signatures that are a text', () => ({ ...signedAssociation(peer), signatures: 'x' })],
      [
        'a signature that is a number',
        () => ({ ...signedAssociation(peer), signatures: { 'peer.test': { 'ed25519:0': 1 } } }),
      ],
      ['a fraction of a millisecond', () => ({ ...signedAssociation(peer), ts: 1.5 })],
      ['null', () => null],
      ['a list', () => []],
      ['a text', () => 'association'],
      ['an empty object', () => ({})],
    ])('%s', async (_name, association) => {
      const id = nextId();
      const answer = await push({ ...intact, [id]: association() });
      expect(answer.status).toBe(400);
      expect(answer.json).toMatchObject({ errcode: 'M_VERIFICATION_FAILED', failed_ids: [id] });
      expect(await lookup(server, 'intact@sample.test')).toEqual({});
    });

    test('several, and names them in order', async () => {
      const bad = [nextId(), nextId()];
      const answer = await push(
        Object.fromEntries([...bad.map((id) => [id, {}]), ...Object.entries(intact)]),
      );
      expect(answer.json.failed_ids).toEqual(bad);
    });

    test('nesting without end, in what is signed and in what is not', async () => {
      const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
      const plain = JSON.stringify(signedAssociation(peer));
      for (const name of ['extra', 'unsigned', 'signatures']) {
        const association = `${plain.slice(0, -1)},"${name}":${deep}}`;
        const body = `{"sgAssocs":{"${nextId()}":${association}}}`;
        expect(await rawPush({ ...tls, body })).toMatchObject({
          status: 400,
          json: { errcode: 'M_BAD_JSON' },
        });
      }
    });
  });

  describeOnce('answers 4xx to', () => {
    test.each([
      ['no JSON', '{"sgAssocs": {', 'M_BAD_JSON'],
      ['nothing', '', 'M_BAD_JSON'],
      ['null', 'null', 'M_BAD_JSON'],
      ['a list', '[]', 'M_BAD_JSON'],
      ['a number', '1', 'M_BAD_JSON'],
      ['NaN', '{"sgAssocs": NaN}', 'M_BAD_JSON'],
      ['no associations', '{}', 'M_BAD_JSON'],
      ['associations that are null', '{"sgAssocs": null}', 'M_BAD_JSON'],
      ['associations that are a list', '{"sgAssocs": [{}]}', 'M_BAD_JSON'],
      ['associations that are a text', '{"sgAssocs": "x"}', 'M_BAD_JSON'],
      ['an id that is not a number', '{"sgAssocs": {"x": {}}}', 'M_BAD_JSON'],
      ['a negative id', '{"sgAssocs": {"-1": {}}}', 'M_BAD_JSON'],
      ['an id that is not whole', '{"sgAssocs": {"1.5": {}}}', 'M_BAD_JSON'],
      ['an id too large', '{"sgAssocs": {"9999999999999999": {}}}', 'M_BAD_JSON'],
      ['an id named __proto__', '{"sgAssocs": {"__proto__": {}}}', 'M_BAD_JSON'],
    ])('%s', async (_name, body, errcode) => {
      expect(await rawPush({ ...tls, body })).toMatchObject({ status: 400, json: { errcode } });
    });

    test('more members than associations of that length have', async () => {
      const members = Array.from({ length: 60_000 }, (_, i) => `"${i}":0`);
      expect(await rawPush({ ...tls, body: `{"sgAssocs":{${members.join(',')}}}` })).toMatchObject({
        status: 400,
        json: { errcode: 'M_BAD_JSON' },
      });
    });

    test('bytes that are not UTF-8', async () => {
      const body = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
      expect(await rawPush({ ...tls, body })).toMatchObject({
        status: 400,
        json: { errcode: 'M_BAD_JSON' },
      });
    });

    test.each([null, 'text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', '/'])(
      'content of type %s',
      async (contentType) => {
        expect(await rawPush({ ...tls, contentType, body: '{"sgAssocs":{}}' })).toMatchObject({
          status: 400,
          json: { errcode: 'M_NOT_JSON' },
        });
      },
    );

    test('content that is too large', async () => {
      const body = `{"sgAssocs":{},"filling":"${'x'.repeat(1024 * 1024)}"}`;
      const answer = await rawPush({ ...tls, body }).catch((error) => error);
      // The answer may be lost when the connection is closed while the client still sends.
      if (!(answer instanceof Error)) {
        expect(answer).toMatchObject({ status: 413, json: { errcode: 'M_TOO_LARGE' } });
      }
      expect(await push({})).toMatchObject({ status: 200 });
    });

    test('what lacks a Host header, and what is not HTTP', async () => {
      expect(await rawPush({ ...tls, setHost: false, body: '{"sgAssocs":{}}' })).toMatchObject({
        status: 400,
        json: { errcode: 'M_UNKNOWN' },
      });
      const { hostname, port } = new URL(tls.url);
      const socket = connectTls({ ...tls, host: hostname, port: Number(port) });
      socket.write('NONSENSE\r\n\r\n');
      const answer = await text(socket);
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({
        errcode: 'M_UNRECOGNIZED',
      });
    });

    test('other methods and paths', async () => {
      const unrecognized = { json: { errcode: 'M_UNRECOGNIZED' } };
      expect(await rawPush({ ...tls, method: 'GET' })).toMatchObject({
        status: 405,
        ...unrecognized,
      });
      expect(await rawPush({ ...tls, path: '/other' })).toMatchObject({
        status: 404,
        ...unrecognized,
      });
    });
  });

  describe('stores', () => {
    test('what is signed, with parameters behind the content type and a slash behind the path', async () => {
      const association = signedAssociation(peer, { address: 'slash@sample.test' });
      const answer = await rawPush({
        ...tls,
        path: `${PUSH_PATH}/`,
        contentType: 'Application/JSON; charset=utf-8',
        body: JSON.stringify({ sgAssocs: { [nextId()]: association } }),
      });
      expect(answer).toMatchObject({ status: 200, json: { success: true } });
      const found = await lookup(server, 'slash@sample.test');
      expect(found.signatures['peer.test']).toEqual(
        (association['signatures'] as Record<string, unknown>)['peer.test'],
      );
    });

    test('what any of the peer’s keys has signed under any id, keys in hex too', async () => {
      const hex = Buffer.from(oldKey.pair.publicKey).toString('hex');
      await onDatabase(server.config.db, ({ peers }) =>
        peers.save({
          name: peer.name,
          port: undefined,
          url: undefined,
          keys: [key.publicKey, hex],
        }),
      );
      for (const [pair, keyId] of [
        [oldKey.pair, 'ed25519:0'],
        [key.pair, 'ed25519:a_9'],
      ] as const) {
        const address = `${keyId.slice(8)}@sample.test`;
        const { status } = await pushOne(signedAssociation({ ...peer, pair, keyId }, { address }));
        expect(status).toBe(200);
        expect(await lookup(server, address)).toHaveProperty('mxid');
      }
    });

    test('one with invitations in it, which lookups do not pass on', async () => {
      const address = 'invited@sample.test';
      const invites = [{ medium: 'email', address, token: 'secret', signed: { token: 'secret' } }];
      expect(await pushOne(signedAssociation(peer, { address, invites }))).toMatchObject({
        status: 200,
      });
      const found = await lookup(server, address);
      expect(found).toMatchObject({ mxid: '@ada:sample.test' });
      expect(found).not.toHaveProperty('invites');
      expect(Object.keys(found.signatures)).toEqual(['id.test']);
    });

    test('addresses folded', async () => {
      await pushOne(signedAssociation(peer, { address: 'Strauß@Sample.test' }));
      expect(await lookup(server, 'STRAUSS@sample.test')).toHaveProperty('mxid');
    });

    test('a domain in A-labels as it is signed, found and taken back under its mailbox', async () => {
      const address = 'ada@xn--bcher-kva.example';
      await pushOne(signedAssociation(peer, { address }));
      const found = await lookup(server, 'ada@bücher.example');
      expect(found).toMatchObject({ address });
      expect(await lookup(server, 'ada@XN--BCHER-KVA.example')).toEqual(found);
      await pushOne(deletion(peer, { address: 'ada@bücher.example' }));
      expect(await lookup(server, address)).toEqual({});
    });

    test('what is found by the hash of the spelling sent, of its lower case, and folded', async () => {
      const address = 'STRAẞE.Maß@Sample.test';
      await pushOne(signedAssociation(peer, { address, mxid: '@spelt:x.test' }));
      const token = await server.token('@asks:x.test');
      const v2 = `${server.url}/_matrix/identity/v2`;
      const { lookup_pepper: pepper } = (await get(`${v2}/hash_details`, {}, token)).json;
      const addresses = [address, address.toLowerCase(), 'strasse.mass@sample.test'].map(
        (spelling) => lookupHash(spelling, 'email', pepper),
      );
      const query = { addresses, algorithm: 'sha256', pepper };
      const { mappings } = (await postJson(`${v2}/lookup`, query, token)).json;
      expect(mappings).toEqual(
        Object.fromEntries(addresses.map((hash) => [hash, '@spelt:x.test'])),
      );
    });

    test('an id once, however often it comes', async () => {
      const id = nextId();
      const first = signedAssociation(peer, { address: 'once@sample.test', mxid: '@one:x.test' });
      const again = signedAssociation(peer, { address: 'once@sample.test', mxid: '@two:x.test' });
      expect(await push({ [id]: first })).toMatchObject({ status: 200 });
      expect(await push({ [id]: again })).toMatchObject({ status: 200, json: { success: true } });
      expect(await lookup(server, 'once@sample.test')).toHaveProperty('mxid', '@one:x.test');
    });

    test('the newest as the one that counts, in whatever order they come', async () => {
      const at = (ts: number, mxid: string) =>
        signedAssociation(peer, { address: 'order@sample.test', ts, mxid });
      await push({ [nextId()]: at(2000, '@new:x.test'), [nextId()]: at(1000, '@old:x.test') });
      expect(await lookup(server, 'order@sample.test')).toHaveProperty('mxid', '@new:x.test');
      await pushOne(at(3000, '@newest:x.test'));
      expect(await lookup(server, 'order@sample.test')).toHaveProperty('mxid', '@newest:x.test');
    });

    test('a thousand at once', async () => {
      const many = Object.fromEntries(
        Array.from({ length: 1000 }, (_, i) => [
          nextId(),
          signedAssociation(peer, { address: `many${i}@sample.test` }),
        ]),
      );
      expect(await push(many)).toMatchObject({ status: 200 });
      expect(await lookup(server, 'many0@sample.test')).toHaveProperty('mxid');
      expect(await lookup(server, 'many999@sample.test')).toHaveProperty('mxid');
    });
  });

  describe('a deletion', () => {
    test('takes back what the peer said, and what others said before', async () => {
      const address = 'gone@sample.test';
      await bind(server, address, '@own:id.test');
      const { ts } = await lookup(server, address);
      await pushOne(signedAssociation(peer, { address, ts: ts - 10, mxid: '@theirs:x.test' }));
      expect(await pushOne(deletion(peer, { address, ts: ts - 5 }))).toMatchObject({ status: 200 });
      expect(await lookup(server, address)).toHaveProperty('mxid', '@own:id.test');
      await pushOne(deletion(peer, { address: 'GONE@sample.test', ts: ts + 5 }));
      expect(await lookup(server, address)).toEqual({});
    });

    test('in one push with a binding before and after it', async () => {
      const address = 'between@sample.test';
      const bound = (ts: number, mxid: string) => signedAssociation(peer, { address, ts, mxid });
      await push({
        [nextId()]: bound(1000, '@before:x.test'),
        [nextId()]: deletion(peer, { address, ts: 2000 }),
        [nextId()]: bound(3000, '@after:x.test'),
      });
      expect(await lookup(server, address)).toHaveProperty('mxid', '@after:x.test');
    });

    test('between bindings of other addresses', async () => {
      const bound = (name: string) => signedAssociation(peer, { address: `${name}@sample.test` });
      await pushOne(bound('old'));
      const gone = deletion(peer, { address: 'old@sample.test' });
      const answer = await push({
        [nextId()]: bound('new'),
        [nextId()]: gone,
        [nextId()]: bound('newer'),
      });
      expect(answer).toMatchObject({ status: 200 });
      expect(await lookup(server, 'old@sample.test')).toEqual({});
      expect(await lookup(server, 'new@sample.test')).toHaveProperty('mxid');
      expect(await lookup(server, 'newer@sample.test')).toHaveProperty('mxid');
    });

    test('is not undone by what the peer had sent before and comes late', async () => {
      const address = 'late@sample.test';
      const [bindId, deletionId] = [nextId(), nextId()];
      const binding = signedAssociation(peer, { address, ts: 1000 });
      await push({ [bindId]: binding });
      await push({ [deletionId]: deletion(peer, { address, ts: 2000 }) });
      expect(await push({ [bindId]: binding })).toMatchObject({ status: 200 });
      expect(await lookup(server, address)).toEqual({});
      // And comes itself a second time after a new binding.
      await push({ [nextId()]: signedAssociation(peer, { address, ts: 3000 }) });
      await push({ [deletionId]: deletion(peer, { address, ts: 2000 }) });
      expect(await lookup(server, address)).toHaveProperty('mxid');
    });
  });

  test('a push that breaks off is told from a fault of the server', async () => {
    const seen = server.logs.length;
    const { hostname, port } = new URL(tls.url);
    const head = `POST ${PUSH_PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`;
    const logged = async () => {
      const socket = connectTls({ ...tls, host: hostname, port: Number(port) });
      socket.write(`${head}Content-Length: 9\r\n\r\n{`);
      // By then it most likely reads the body.
      await get(`${server.url}/health`);
      await once(socket.resume().end(), 'close');
      return server.logs.slice(seen).join('');
    };
    await expect.poll(logged).toMatch(/Request (broken off|failed)/);
    expect(await logged()).not.toContain('Request failed');
  });

  test('nothing of all this was a fault of the server', async () => {
    const { text } = await get(`${server.metricsUrl}/metrics`);
    expect(text).toContain('listener="replication"');
    expect(text.split('\n').filter((line) => /"replication".*status="5/.test(line))).toEqual([]);
    expect(server.logs.filter((line) => line.includes('"level":50'))).toEqual([]);
  });
});
