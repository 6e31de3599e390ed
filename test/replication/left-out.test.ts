import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import { get } from '../support/http.ts';
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
  signedAsWritten,
  startReplicatingServer,
} from '../support/replicating-servers.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const DAY = 24 * 60 * 60 * 1000;
const key = newSigningKey();
const peer = { name: 'peer.test', pair: key.pair };
const stranger = { name: 'peer.test', pair: newSigningKey().pair };

let ca: TestCa;
beforeAll(async () => {
  ca = await createTestCa();
});
afterAll(() => ca.remove());

describe.each(ENGINES)('of what a peer sends, on %s,', (engine) => {
  let server: ReplicatingServer;
  let certificate: Awaited<ReturnType<typeof certificateFolder>>;
  let ids = 0;

  beforeAll(async () => {
    server = await startReplicatingServer(ca, 'id.test', { engine });
    certificate = await certificateFolder(ca, peer.name);
    await introduce(server, { name: peer.name, publicKey: key.publicKey });
  });
  afterAll(async () => {
    await server?.stop();
    await certificate?.remove();
  });

  /** Pushes what stands there as JSON, each under the next id. */
  const pushTexts = (...texts: readonly string[]) => {
    const { cert, key: certKey } = certificate;
    const members = texts.map((text) => `"${++ids}":${text}`);
    const body = `{"sgAssocs":{${members.join(',')}}}`;
    return rawPush({ url: server.replicationUrl, ca: ca.pem, cert, key: certKey, body });
  };
  const push = (...all: readonly unknown[]) => pushTexts(...all.map((one) => JSON.stringify(one)));
  const good = (address: string, fields = {}) => signedAssociation(peer, { address, ...fields });

  /** How much was left out so far, for that reason. */
  async function leftOut(reason: string): Promise<number> {
    const { text } = await get(`${server.metricsUrl}/metrics`);
    const line = `cognomen_replication_left_out_total{peer="peer.test",reason="${reason}"} `;
    return Number(
      text
        .split('\n')
        .find((found) => found.startsWith(line))
        ?.slice(line.length) ?? 0,
    );
  }
  const linesOf = (logs: readonly string[]) =>
    logs.map((line) => JSON.parse(line)).filter(({ msg }) => /^Left out/.test(msg));

  describe('that is left out, and the rest is taken:', () => {
    const now = () => server.clock.now();
    const address = 'odd@sample.test';
    const odd = (fields: object) => JSON.stringify(good(address, fields));
    const gone = (fields: object) => JSON.stringify(deletion(peer, { address, ...fields }));
    test.each<[what: string, reason: string, text: () => string]>([
      [
        'what an invitation has',
        'members',
        () => odd({ token: 't', sender: '@s:x', room_id: '!r' }),
      ],
      ['a member with much in it', 'members', () => odd({ extra: { deep: [{ er: [1, null] }] } })],
      [
        'a member that nobody signs',
        'members',
        () => JSON.stringify({ ...good(address), unsigned: { age: 1 } }),
      ],
      [
        'a member named __proto__',
        'members',
        () =>
          signedAsWritten(peer, {
            ['__proto__']: '{"mxid":"@eve:x.test"}',
            medium: '"email"',
            address: `"${address}"`,
            mxid: '"@a:x"',
            ts: '1',
            not_before: '1',
            not_after: '9000000000000',
          }),
      ],
      ['a deletion with more in it', 'members', () => gone({ token: 't' })],
      ['a time that is a text', 'malformed', () => odd({ ts: '1700000000000' })],
      ['a time that is null', 'malformed', () => odd({ ts: null })],
      ['a time that is a list', 'malformed', () => odd({ ts: [1_700_000_000_000] })],
      ['no time', 'malformed', () => odd({ ts: undefined })],
      ['no end', 'malformed', () => odd({ not_after: undefined })],
      ['an end that is null though it is bound', 'malformed', () => odd({ not_after: null })],
      ['a beginning that is a text', 'malformed', () => odd({ not_before: 'NaN' })],
      ['an address that is a list', 'malformed', () => odd({ address: [address] })],
      ['an empty address', 'malformed', () => odd({ address: '' })],
      ['an address with a zero byte', 'malformed', () => odd({ address: 'a\0@b.test' })],
      ['an endless address', 'malformed', () => odd({ address: 'ΐ'.repeat(900) })],
      ['no address', 'malformed', () => odd({ address: undefined })],
      ['a medium that is a number', 'malformed', () => odd({ medium: 1 })],
      ['a user that is an object', 'malformed', () => odd({ mxid: {} })],
      ['a user that is empty', 'malformed', () => odd({ mxid: '' })],
      ['nothing but a signature', 'malformed', () => signedAsWritten(peer, {})],
      ['a deletion with a time that is a text', 'malformed', () => gone({ not_before: 'x' })],
      ['a deletion without a time', 'malformed', () => gone({ ts: undefined })],
      ...['1152921504606846976', '-9007199254740993', '1.5', '1e+300', '1e999'].map(
        (ts): [string, string, () => string] => [
          `the time ${ts}, as Sydent signs it`,
          'malformed',
          () =>
            signedAsWritten(peer, {
              medium: '"email"',
              address: `"${address}"`,
              mxid: '"@odd:x.test"',
              ts,
              not_before: '1',
              not_after: '9000000000000',
            }),
        ],
      ),
      ['a date more than a day ahead', 'ahead', () => odd({ ts: now() + DAY + 1 })],
      ['the last of all dates', 'ahead', () => odd({ ts: Number.MAX_SAFE_INTEGER })],
      ['a beginning more than a day ahead', 'ahead', () => odd({ not_before: now() + DAY + 1 })],
      ['a deletion more than a day ahead', 'ahead', () => gone({ ts: now() + DAY + 1 })],
    ])('%s', async (_what, reason, text) => {
      const rest = `rest${ids}@sample.test`;
      // What stands there stays, whatever the odd one says.
      await push(good(address, { mxid: '@stands:x.test', ts: 1000 }));
      const [before, lines] = [await leftOut(reason), linesOf(server.logs).length];
      const answer = await pushTexts(text(), JSON.stringify(good(rest)));
      expect(answer).toMatchObject({ status: 200, json: { success: true } });
      expect(await lookup(server, rest)).toHaveProperty('mxid', '@ada:sample.test');
      expect(await lookup(server, address)).toHaveProperty('mxid', '@stands:x.test');
      expect(await leftOut(reason)).toBe(before + 1);
      expect(linesOf(server.logs).slice(lines)).toEqual([
        expect.objectContaining({
          level: 40,
          peer: 'peer.test',
          count: 1,
          reasons: { [reason]: 1 },
          ids: [ids - 1],
        }),
      ]);
    });

    test('many, in one line of the log', async () => {
      const lines = linesOf(server.logs).length;
      const many = Array.from({ length: 500 }, (_, i) => good(`many${i}@sample.test`, { x: 'y' }));
      expect(await push(...many)).toMatchObject({ status: 200 });
      const [line, ...more] = linesOf(server.logs).slice(lines);
      expect(more).toEqual([]);
      expect(line).toMatchObject({ count: 500, reasons: { members: 500 } });
      expect(JSON.stringify(line).length).toBeLessThan(600);
    });

    test('and it is acknowledged for good: the peer is not held up by it', async () => {
      const ahead = good(address, { ts: now() + 2 * DAY, mxid: '@ahead:x.test' });
      expect(await push(ahead)).toMatchObject({ status: 200, json: { success: true } });
      const ids = await server.database.execute(
        "select mxid from global_threepid_associations where mxid = '@ahead:x.test'",
      );
      expect(ids).toEqual([]);
    });
  });

  describe('that is taken as it is:', () => {
    test('what is dated up to a day ahead', async () => {
      const ts = server.clock.now() + DAY;
      await push(good('soon@sample.test', { ts }));
      expect(await lookup(server, 'soon@sample.test')).toMatchObject({ ts });
    });

    test('dates before 1970, which lose to any other', async () => {
      const address = 'early@sample.test';
      await push(good(address, { ts: -5, not_before: -5, mxid: '@early:x.test' }));
      expect(await lookup(server, address)).toMatchObject({ ts: -5, mxid: '@early:x.test' });
      await push(good(address, { ts: 0, not_before: 0, mxid: '@later:x.test' }));
      expect(await lookup(server, address)).toMatchObject({ mxid: '@later:x.test' });
    });

    test('of a member that is there twice, the last, if that is what was signed', async () => {
      const address = 'twice@sample.test';
      const text = JSON.stringify(good(address));
      const [twice, changed] = [`{"ts":"x",${text.slice(1)}`, `${text.slice(0, -1)},"ts":5}`];
      expect(await pushTexts(changed)).toMatchObject({ status: 400 });
      expect(await lookup(server, address)).toEqual({});
      expect(await pushTexts(twice)).toMatchObject({ status: 200 });
      expect(await lookup(server, address)).toHaveProperty('mxid', '@ada:sample.test');
    });

    test('of its signatures those that fit, and no other', async () => {
      const address = 'signatures@sample.test';
      const association = good(address);
      const own = (association['signatures'] as Record<string, Record<string, string>>)[peer.name];
      const fits = own?.['ed25519:0'] ?? '';
      await push({
        ...association,
        signatures: {
          'peer.test': {
            'ed25519:0': fits,
            'ed25519:copy': fits,
            'ed25519:forged': fits.toLowerCase(),
            'ed25519:odd': { token: 't' },
            [`ed25519:${'x'.repeat(100)}`]: fits,
          },
          'other.test': { 'ed25519:0': 'a secret of somebody' },
          'id.test': { 'ed25519:0': 'ours, it says' },
        },
      });
      const { signatures } = await lookup(server, address);
      expect(Object.keys(signatures).sort()).toEqual(['id.test', 'peer.test']);
      expect(signatures['peer.test']).toEqual({ 'ed25519:0': fits, 'ed25519:copy': fits });
      expect(signatures['id.test']['ed25519:0']).toMatch(/^[A-Za-z0-9+/]{86}$/);
      const [row] = await server.database.execute(
        `select "sgAssoc" as signed from global_threepid_associations where address = '${address}'`,
      );
      expect((row as { signed: string }).signed).not.toContain('secret');
    });
  });

  describe('a bad signature fails the whole push,', () => {
    test.each<[string, () => string]>([
      [
        'whatever else is wrong with it',
        () => JSON.stringify(signedAssociation(stranger, { x: 1 })),
      ],
      ['of what is dated ahead', () => JSON.stringify(signedAssociation(stranger, { ts: 9e15 }))],
      [
        'of numbers that only Sydent signs',
        () => signedAsWritten(stranger, { medium: '"email"', ts: '1.5' }),
      ],
      [
        'of a number changed after signing',
        () => signedAsWritten(peer, { ts: '1152921504606846976' }).replace('6976', '6977'),
      ],
    ])('%s', async (_what, text) => {
      const address = `beside${ids}@sample.test`;
      const lines = linesOf(server.logs).length;
      const answer = await pushTexts(JSON.stringify(good(address)), text());
      expect(answer).toMatchObject({
        status: 400,
        json: { errcode: 'M_VERIFICATION_FAILED', failed_ids: [String(ids)] },
      });
      expect(await lookup(server, address)).toEqual({});
      expect(linesOf(server.logs)).toHaveLength(lines);
    });
  });

  test('a push of nothing but commas is refused before it takes long', async () => {
    const list = `[${'1,'.repeat(400_000)}1.5]`;
    expect(await pushTexts(list)).toMatchObject({ status: 400, json: { errcode: 'M_BAD_JSON' } });
  });

  test('nothing was a fault of the server, which goes on binding', async () => {
    await bind(server, 'odd@sample.test', '@own:id.test');
    expect(await lookup(server, 'odd@sample.test')).toHaveProperty('mxid', '@own:id.test');
    expect(server.logs.filter((line) => line.includes('"level":50'))).toEqual([]);
  });
});
