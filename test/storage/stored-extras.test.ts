import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeBase64 } from '../../src/signing/base64.ts';
import { verifySignedJson } from '../../src/signing/signed-json.ts';
import { ENGINES } from '../support/databases.ts';
import { lookup, newSigningKey, signedAssociation } from '../support/replicating-servers.ts';
import { PUBLIC_KEY, SERVER_NAME, startTestServer, type TestServer } from '../support/server.ts';

const peer = { name: 'peer.test', pair: newSigningKey().pair };
const own = { name: SERVER_NAME, pair: newSigningKey().pair };
const association = {
  medium: 'email',
  address: 'ada@sample.test',
  mxid: '@ada:sample.test',
  ts: 1_700_000_000_000,
  not_before: 1_700_000_000_000,
  not_after: 4_000_000_000_000,
};
const invites = [{ token: 'a secret', sender: '@s:x.test', room_id: '!r:x.test' }];
const json = (by: typeof peer, fields = {}, beside = {}) =>
  JSON.stringify({ ...signedAssociation(by, fields), ...beside });

describe.each(ENGINES)('a row that was stored before, on %s,', (engine) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ engine });
  });
  afterAll(() => server?.stop());

  let ids = 1000;
  async function store(originServer: string, signed: string, ts = association.ts) {
    await server.database.execute('delete from cognomen_lookup_keys');
    await server.database.execute('delete from global_threepid_associations');
    const { medium, address, mxid, not_before, not_after } = association;
    await server.database.execute(
      'insert into global_threepid_associations (medium, address, mxid, ts, "notBefore", "notAfter", "originServer", "originId", "sgAssoc", lookup_hash) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      [medium, address, mxid, ts, not_before, not_after, originServer, ++ids, signed, 'h'],
    );
    await server.database.execute("delete from cognomen_state where key = 'index_position'");
    await server.restart();
  }

  /** What lookup answers: exactly an association, rightly signed by this server; without the signatures. */
  async function answered() {
    const { signatures, ...rest } = await lookup(server, 'ada@sample.test');
    const key = decodeBase64(PUBLIC_KEY) ?? new Uint8Array();
    expect(verifySignedJson({ ...rest, signatures }, SERVER_NAME, 'ed25519:0', key)).toBe(true);
    return { rest, signatures };
  }

  test.each<[what: string, origin: string, signed: string]>([
    ['of a peer', 'peer.test', json(peer, { token: 'a secret', sender: '@s:x', room_id: '!r:x' })],
    [
      'of a peer, of any depth',
      'peer.test',
      json(peer, { x: { y: [{ z: null }] }, 'ed25519:0': 1 }),
    ],
    ['of a peer, unsigned', 'peer.test', json(peer, {}, { unsigned: { token: 'a secret' } })],
    ['of a peer, named __proto__', 'peer.test', json(peer).replace('{', '{"__proto__":{"a":1},')],
    ['of a peer, invitations', 'peer.test', json(peer, { invites })],
    ['of this server’s own', SERVER_NAME, json(own, { token: 'a secret', sender: '@s:x' })],
    ['of this server’s own, invitations', SERVER_NAME, json(own, { invites })],
    ['of a peer in this server’s name', 'peer.test', json(own, { token: 'a secret' })],
  ])(
    'is answered without what is not part of an association: %s',
    async (_what, origin, signed) => {
      await store(origin, signed);
      const { rest, signatures } = await answered();
      expect(rest).toEqual(association);
      expect(Object.keys(signatures)).toEqual([SERVER_NAME]);
    },
  );

  test.each<[what: string, signed: string]>([
    ['that is not JSON', '{'],
    ['that is null', 'null'],
    ['that is a list', '[1]'],
    ['with a member missing', json(peer, { mxid: undefined })],
    ['with a time that is a text', json(peer, { ts: '1' })],
    ['with a time that nobody can sign', json(peer).replace('4000000000000', '1e300')],
    ['with half a character', json(peer).replace('ada@sample', '\\ud800')],
  ])(
    'is answered by what lookups go by where the signed one is none: %s',
    async (_what, signed) => {
      await store('peer.test', signed);
      const { rest, signatures } = await answered();
      expect(rest).toEqual(association);
      expect(Object.keys(signatures)).toEqual([SERVER_NAME]);
    },
  );

  test('keeps the signature of its peer where that fits, and no other', async () => {
    const signed = signedAssociation(peer);
    const { 'peer.test': fits } = signed['signatures'] as Record<string, object>;
    const others = { 'other.test': { 'ed25519:0': 'x' }, list: [1], text: 'x', [SERVER_NAME]: {} };
    const odd = { ...fits, 'ed25519:odd': { token: 'a secret' } };
    const signatures = { ...others, 'peer.test': odd };
    await store('peer.test', JSON.stringify({ ...signed, signatures }));
    const answer = await answered();
    expect(answer.rest).toEqual(association);
    expect(Object.keys(answer.signatures).sort()).toEqual([SERVER_NAME, 'peer.test']);
    expect(answer.signatures['peer.test']).toEqual(fits);
  });

  test('with nothing that could be signed is not answered', async () => {
    await store(
      'peer.test',
      json(peer, { token: 't' }).replaceAll('"ts":1', '"ts":1152921504'),
      2 ** 60,
    );
    expect(await lookup(server, 'ada@sample.test')).toEqual({});
  });

  test('none of which was a fault of the server', () => {
    expect(server.logs.filter((line) => line.includes('"level":50'))).toEqual([]);
  });
});
