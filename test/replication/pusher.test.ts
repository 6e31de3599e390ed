import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import { get } from '../support/http.ts';
import {
  bind,
  introduce,
  newSigningKey,
  onDatabase,
  type ReplicatingServer,
  startReplicatingServer,
  unbind,
} from '../support/replicating-servers.ts';
import {
  type StandInOptions,
  type StandInPeer,
  startStandInPeer,
} from '../support/standin-peer.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const PATIENCE = { interval: 20 };
const DAY = 24 * 60 * 60 * 1000;

let ca: TestCa;
beforeAll(async () => {
  ca = await createTestCa();
});
afterAll(() => ca.remove());

/** Fills the log as so many binds would. */
const fillLog = (server: ReplicatingServer, count: number) =>
  onDatabase(server.config.db, async ({ associations }) => {
    for (let i = 0; i < count; i++) {
      const stored = { medium: 'email', address: `filled${i}@sample.test`, lookupHash: 'x' };
      const times = { ts: 1_700_000_000_000, notBefore: 1_700_000_000_000, notAfter: 4e12 };
      await associations.appendToLog({ ...stored, mxid: '@a:b.test', ...times }, []);
    }
  });

const sizes = (peer: StandInPeer) => peer.taken.map((push) => Object.keys(push.sgAssocs).length);

const lastSent = (server: ReplicatingServer, name: string) =>
  onDatabase(server.config.db, async ({ peers }) => (await peers.list([name]))[0]?.lastSent);

const HTTP = 'replication.skip_refused_after_days = 3';

let server: ReplicatingServer;
const standIns: StandInPeer[] = [];

async function stopAll(): Promise<void> {
  await server.stop();
  for (const standIn of standIns.splice(0)) await standIn.close();
}

/** A peer that the server knows. */
async function startPeer(options: Partial<StandInOptions> = {}): Promise<StandInPeer> {
  const { name = 'sydent.test' } = options;
  const standIn = await startStandInPeer({ ca, name, pusher: server, ...options });
  standIns.push(standIn);
  const { publicKey } = newSigningKey();
  await introduce(server, { name, publicKey, replicationUrl: standIn.url });
  return standIn;
}

describe.each(ENGINES)('what is pushed to a peer, on %s', (engine) => {
  beforeEach(async () => {
    server = await startReplicatingServer(ca, 'origin.test', {
      engine,
      http: HTTP,
      keyVersion: 'v2',
    });
  });
  afterEach(stopAll);

  test('is what Sydent takes: members, nulls, key id, content type, order', async () => {
    await bind(server, 'ada@sample.test', '@ada:sample.test');
    await bind(server, 'bob@sample.test', '@bob:sample.test');
    await unbind(server, 'ada@sample.test', '@ada:sample.test');
    const peer = await startPeer();
    await expect.poll(() => peer.ids(), PATIENCE).toEqual([2, 3]);
    const [push] = peer.taken;
    expect(push?.contentType).toBe('application/json');
    expect(push?.sgAssocs[2]).toEqual({
      medium: 'email',
      address: 'bob@sample.test',
      mxid: '@bob:sample.test',
      ts: expect.any(Number),
      not_before: expect.any(Number),
      not_after: expect.any(Number),
      signatures: {
        'origin.test': { 'ed25519:0': expect.any(String), 'ed25519:v2': expect.any(String) },
      },
    });
    expect(push?.sgAssocs[3]).toEqual({
      medium: 'email',
      address: 'ada@sample.test',
      mxid: null,
      ts: expect.any(Number),
      not_before: null,
      not_after: null,
      signatures: { 'origin.test': expect.any(Object) },
    });
    await expect.poll(() => lastSent(server, 'sydent.test'), PATIENCE).toBe(3);
    // Nothing twice.
    await bind(server, 'eve@sample.test', '@eve:sample.test');
    await expect.poll(() => peer.ids(), PATIENCE).toEqual([2, 3, 4]);
  });

  test('goes up to an association the peer refuses, and past it after the configured days', async () => {
    await fillLog(server, 6);
    let refused: number[] = [3, 5];
    const peer = await startPeer({ refuses: () => refused });
    await expect.poll(() => peer.ids(), PATIENCE).toEqual([1, 2]);
    await expect
      .poll(() => onDatabase(server.config.db, ({ peers }) => peers.refused('sydent.test')))
      .toMatchObject([{ id: 3 }, { id: 5 }]);
    await expect
      .poll(() =>
        onDatabase(server.config.db, async ({ peers }) =>
          (await peers.list()).map((row) => row.lastFailure?.reason),
        ),
      )
      .toEqual(['it refuses association 3']);
    const { text } = await get(`${server.metricsUrl}/metrics`);
    expect(text).toMatch(/cognomen_replication_refused_total\{peer="sydent.test"\} [2-9]/);

    // The peer has changed its mind about one of them.
    refused = [3];
    server.clock.advance(3 * DAY + 1);
    await expect.poll(() => peer.ids(), PATIENCE).toEqual([1, 2, 4, 5, 6]);
    await expect.poll(() => lastSent(server, 'sydent.test'), PATIENCE).toBe(6);
    expect(server.logs.join('')).toMatch(/"ids":\[3\][^\n]*Gave up associations/);
    const left = await onDatabase(server.config.db, ({ peers }) => peers.refused('sydent.test'));
    expect(left).toEqual([]);
  });

  test('is pruned of old deletions once every peer has them, and not before', async () => {
    const log = () =>
      onDatabase(server.config.db, async ({ associations }) =>
        (await associations.logAfter(0, 10)).map(({ id }) => id),
      );
    await bind(server, 'ada@sample.test', '@ada:sample.test');
    await unbind(server, 'ada@sample.test', '@ada:sample.test');
    await bind(server, 'bob@sample.test', '@bob:sample.test');
    const peer = await startPeer();
    await introduce(server, { name: 'off.test', publicKey: newSigningKey().publicKey });
    await onDatabase(server.config.db, ({ peers }) => peers.setActive('off.test', false));
    await expect.poll(() => lastSent(server, 'sydent.test'), PATIENCE).toBe(3);
    // An inactive peer may come back, and a young deletion dates what is bound after it.
    server.clock.advance(2 * DAY);
    await server.restart();
    expect(await log()).toEqual([2, 3]);
    await onDatabase(server.config.db, ({ peers }) => peers.remove('off.test'));
    await server.restart();
    await expect.poll(log, PATIENCE).toEqual([3]);
    // Ids go on where they were.
    await bind(server, 'ada@sample.test', '@ada:sample.test');
    await expect.poll(() => peer.ids(), PATIENCE).toEqual([2, 3, 4]);
  });
});

describe('what is pushed to a peer', () => {
  beforeEach(async () => {
    server = await startReplicatingServer(ca, 'origin.test', { http: HTTP });
  });
  afterEach(stopAll);

  test('reaches one peer however long another takes to answer', async () => {
    const silent = await startPeer({ name: 'silent.test', silent: true });
    const peer = await startPeer();
    await bind(server, 'ada@sample.test', '@ada:sample.test');
    await expect.poll(() => silent.count(), PATIENCE).toBe(1);
    await expect.poll(() => peer.ids(), PATIENCE).toEqual([1]);
    await bind(server, 'bob@sample.test', '@bob:sample.test');
    await expect.poll(() => peer.ids(), PATIENCE).toEqual([1, 2]);
    expect(await lastSent(server, 'silent.test')).toBeUndefined();
  });

  test('is not broken off when the certificates are read again', async () => {
    const { promise: after, resolve: answer } = Promise.withResolvers<void>();
    const peer = await startPeer({ after });
    await bind(server, 'ada@sample.test', '@ada:sample.test');
    await expect.poll(() => peer.count(), PATIENCE).toBe(1);
    await server.app.reload();
    answer();
    await expect.poll(() => lastSent(server, 'sydent.test'), PATIENCE).toBe(1);
    await bind(server, 'bob@sample.test', '@bob:sample.test');
    await expect.poll(() => peer.ids(), PATIENCE).toEqual([1, 2]);
    expect(peer.count()).toBe(2);
  });

  test('is not given up when the peer refuses everything, as with a wrong key', async () => {
    await fillLog(server, 3);
    let refused = [1, 2, 3];
    const peer = await startPeer({ refuses: () => refused });
    await expect.poll(() => peer.count(), PATIENCE).toBeGreaterThan(0);
    server.clock.advance(4 * DAY);
    const before = peer.count();
    await expect.poll(() => peer.count(), PATIENCE).toBeGreaterThan(before);
    expect(await lastSent(server, 'sydent.test')).toBeUndefined();
    refused = [];
    await expect.poll(() => peer.ids(), PATIENCE).toEqual([1, 2, 3]);
  });

  test('follows the rows of the peer as they change', async () => {
    const peer = await startPeer();
    await bind(server, 'ada@sample.test', '@ada:sample.test');
    await expect.poll(() => peer.ids(), PATIENCE).toEqual([1]);
    await onDatabase(server.config.db, ({ peers }) => peers.setActive('sydent.test', false));
    await bind(server, 'bob@sample.test', '@bob:sample.test');
    const { text } = await get(`${server.metricsUrl}/metrics`);
    expect(text).toContain('cognomen_replication_sent_total{peer="sydent.test"} 1');
    expect(peer.ids()).toEqual([1]);
    await onDatabase(server.config.db, ({ peers }) => peers.setActive('sydent.test', true));
    await expect.poll(() => peer.ids(), PATIENCE).toEqual([1, 2]);
  });

  test('goes to no peer whose certificate is of another host or authority', async () => {
    const other = await createTestCa();
    const elsewhere = await startStandInPeer({ ca: other, name: 'sydent.test', pusher: server });
    standIns.push(elsewhere);
    await introduce(server, {
      name: 'sydent.test',
      publicKey: newSigningKey().publicKey,
      replicationUrl: elsewhere.url,
    });
    // The certificate is for the address and the name, not for this one.
    const misnamed = await startPeer({ name: 'misnamed.test' });
    await introduce(server, {
      name: 'misnamed.test',
      publicKey: newSigningKey().publicKey,
      replicationUrl: misnamed.url.replace('127.0.0.1', 'localhost'),
    });
    await bind(server, 'ada@sample.test', '@ada:sample.test');
    await expect
      .poll(
        () =>
          onDatabase(server.config.db, async ({ peers }) =>
            (await peers.list()).map((row) => row.lastFailure?.reason ?? ''),
          ),
        PATIENCE,
      )
      .toEqual([expect.stringContaining('localhost'), expect.stringContaining('certificate')]);
    expect([elsewhere.count(), misnamed.count()]).toEqual([0, 0]);
    await other.remove();
  });
});

describe('the size of pushes', () => {
  const COUNT = 1000;

  beforeAll(async () => {
    server = await startReplicatingServer(ca, 'origin.test');
    await fillLog(server, COUNT);
  });
  afterAll(stopAll);

  test('grows as long as the peer takes it, within Sydent’s 512 KiB, in order', async () => {
    const peer = await startPeer({ name: 'large.test' });
    await expect.poll(() => peer.ids().length, PATIENCE).toBe(COUNT);
    expect(peer.ids()).toEqual(Array.from({ length: COUNT }, (_, i) => i + 1));
    expect(sizes(peer)).toEqual([100, 200, 400, 300]);
    expect(peer.count()).toBe(4);
  });

  test.each([
    ['413', 'status.test', { status: 413 }],
    ['M_TOO_LARGE', 'errcode.test', { status: 400, body: { errcode: 'M_TOO_LARGE' } }],
    ['a broken connection', 'broken.test', { status: 0 }],
  ])('falls back to 100 for a peer that answers more with %s', async (_how, name, refusal) => {
    const peer = await startPeer({ name, most: { associations: 100, ...refusal } });
    await expect.poll(() => peer.ids().length, PATIENCE).toBe(COUNT);
    expect(sizes(peer)).toEqual(Array(10).fill(100));
    // One push was too large, and none after it; over a connection kept from before it is tried again.
    expect(peer.count()).toBe(refusal.status === 0 ? 12 : 11);
  });

  test('is less than 100 where even that is too much', async () => {
    const peer = await startPeer({ name: 'small.test', most: { associations: 20, status: 413 } });
    await expect.poll(() => peer.ids().length, PATIENCE).toBe(COUNT);
    expect(Math.max(...sizes(peer))).toBeLessThanOrEqual(20);
  });
});
