import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import { get, postJson } from '../support/http.ts';
import {
  bind,
  introduce,
  lookup,
  onDatabase,
  type ReplicatingServer,
  startReplicatingServer,
  unbind,
} from '../support/replicating-servers.ts';
import { quickest } from '../support/time.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

/** Peers are looked for every two seconds. */
const PATIENCE = { interval: 20 };

let ca: TestCa;
beforeAll(async () => {
  ca = await createTestCa();
});
afterAll(() => ca.remove());

describe.each(ENGINES)('two servers on %s', (engine) => {
  let a: ReplicatingServer;
  let b: ReplicatingServer;

  beforeAll(async () => {
    a = await startReplicatingServer(ca, 'a.test', { engine, keyVersion: 'a_1' });
    b = await startReplicatingServer(ca, 'b.test', { engine });
    await bind(a, 'Before@Sample.test', '@before:a.test');
    await introduce(a, b);
    await introduce(b, a);
  });
  afterAll(async () => {
    await a?.stop();
    await b?.stop();
  });

  test('what was bound before they knew each other arrives, folded, as it was signed', async () => {
    await expect
      .poll(() => lookup(b, 'before@sample.test'), PATIENCE)
      .toMatchObject({ mxid: '@before:a.test', address: 'before@sample.test' });
    const { signatures } = await lookup(b, 'BEFORE@sample.test');
    expect(Object.keys(signatures).sort()).toEqual(['a.test', 'b.test']);
    // The key's own id, and the one that Sydent looks for.
    expect(Object.keys(signatures['a.test']).sort()).toEqual(['ed25519:0', 'ed25519:a_1']);
  });

  test('bindings go both ways, each at once', async () => {
    for (const [from, to, name] of [
      [a, b, 'ada'],
      [b, a, 'bob'],
    ] as const) {
      // The first push opens the connection.
      await bind(from, `warm-${name}@sample.test`, '@warm:sample.test');
      await expect
        .poll(() => lookup(to, `warm-${name}@sample.test`), PATIENCE)
        .toHaveProperty('mxid');
      let turn = 0;
      const time = await quickest(async () => {
        const address = `${name}${turn++}@sample.test`;
        await bind(from, address, `@${name}:sample.test`);
        await expect
          .poll(() => lookup(to, address), { ...PATIENCE, interval: 5 })
          .toHaveProperty('mxid', `@${name}:sample.test`);
      });
      // On a machine of a fifth of the usual speed: half a second.
      expect(time).toBeLessThan(2500);
    }
  });

  test('the hash is made with the receiver’s own pepper', async () => {
    await bind(a, 'hashed@sample.test', '@hashed:a.test');
    const asked = { threepids: [['email', 'hashed@sample.test']] };
    await expect
      .poll(
        async () =>
          (await postJson(`${b.url}/_matrix/identity/api/v1/bulk_lookup`, asked)).json.threepids,
        PATIENCE,
      )
      .toEqual([['email', 'hashed@sample.test', '@hashed:a.test']]);
    await onDatabase(b.config.db, async ({ lookups }) => {
      const found = await lookups.byAddresses(['hashed@sample.test'], b.clock.now());
      expect(found).toHaveLength(1);
    });
  });

  test('a binding replaced or taken back is so on the peer too', async () => {
    await bind(a, 'moves@sample.test', '@old:a.test');
    await expect
      .poll(() => lookup(b, 'moves@sample.test'), PATIENCE)
      .toHaveProperty('mxid', '@old:a.test');
    await bind(a, 'moves@sample.test', '@new:a.test');
    await expect
      .poll(() => lookup(b, 'moves@sample.test'), PATIENCE)
      .toHaveProperty('mxid', '@new:a.test');
    await unbind(a, 'moves@sample.test', '@new:a.test');
    await expect.poll(() => lookup(b, 'moves@sample.test'), PATIENCE).toEqual({});
  });

  test('the newest wins whoever said it', async () => {
    await bind(a, 'both@sample.test', '@first:a.test');
    await expect.poll(() => lookup(b, 'both@sample.test'), PATIENCE).toHaveProperty('mxid');
    await bind(b, 'both@sample.test', '@second:b.test');
    await expect
      .poll(() => lookup(a, 'both@sample.test'), PATIENCE)
      .toHaveProperty('mxid', '@second:b.test');
    expect(await lookup(b, 'both@sample.test')).toHaveProperty('mxid', '@second:b.test');
  });

  test('the metrics tell how it goes', async () => {
    await expect
      .poll(async () => (await get(`${a.metricsUrl}/metrics`)).text, PATIENCE)
      .toContain('cognomen_replication_backlog{peer="b.test"} 0');
    const { text } = await get(`${a.metricsUrl}/metrics`);
    expect(text).toMatch(
      /cognomen_replication_pushes_total\{peer="b.test",outcome="accepted"\} [1-9]/,
    );
    expect(text).toMatch(/cognomen_replication_sent_total\{peer="b.test"\} [1-9]/);
    expect(text).toMatch(/cognomen_replication_received_total\{peer="b.test",kind="bind"\} [1-9]/);
  });

  test('a peer that is down for a while gets everything when it is back', async () => {
    await b.app.close();
    for (let i = 0; i < 5; i++) await bind(a, `down${i}@sample.test`, '@down:a.test');
    await expect
      .poll(
        () => onDatabase(a.config.db, async ({ peers }) => (await peers.list())[0]?.lastFailure),
        PATIENCE,
      )
      .toBeDefined();
    await b.restart();
    await expect.poll(() => lookup(b, 'down4@sample.test'), PATIENCE).toHaveProperty('mxid');
    for (let i = 0; i < 5; i++) {
      expect(await lookup(b, `down${i}@sample.test`)).toHaveProperty('mxid', '@down:a.test');
    }
  });
});
