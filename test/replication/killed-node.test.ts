import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { stopwatch } from '../../src/platform/clock.ts';
import { ENGINES } from '../support/databases.ts';
import {
  createReplicatingProcess,
  type ReplicatingProcess,
} from '../support/replicating-process.ts';
import { bind } from '../support/replicating-servers.ts';
import { type StandInPeer, startStandInPeer } from '../support/standin-peer.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

/** Milliseconds after which what a dead process had claimed is done by another. */
const TAKEN_OVER = 10_000;

let ca: TestCa;
beforeAll(async () => {
  ca = await createTestCa();
});
afterAll(() => ca.remove());

describe.runIf(ENGINES.includes('postgres'))('of two nodes', () => {
  let one: ReplicatingProcess;
  let other: ReplicatingProcess;
  let peer: StandInPeer;
  /** Lets the peer answer. */
  let answer: () => void;

  beforeEach(async () => {
    const first = await createReplicatingProcess(ca, 'id.test', { engine: 'postgres' });
    one = first;
    other = await createReplicatingProcess(ca, 'id.test', { twin: first.twin });
    const { promise: after, resolve } = Promise.withResolvers<void>();
    answer = resolve;
    peer = await startStandInPeer({ ca, name: 'peer.test', pusher: one, after });
    await one.start();
    const { status, output } = await one.peers(
      ...['add', 'peer.test', '--key', one.publicKey, '--url', peer.url],
    );
    expect(status, output).toBe(0);
    expect((await bind(one, 'ada@sample.test', '@ada:sample.test')).status).toBe(200);
    await expect.poll(() => peer.count()).toBe(1);
    // Not before: else it might be the one that pushes.
    await other.start();
  });
  afterEach(async () => {
    answer();
    await peer.close();
    await other.remove();
    await one.remove();
  });

  test('one takes over within 10 seconds what the other was pushing when it was killed', async () => {
    // The first has the push under way.
    await one.process().stop('SIGKILL');
    const elapsed = stopwatch();
    await expect.poll(() => peer.count()).toBe(2);
    // And what a busy machine takes for the push.
    expect(elapsed()).toBeLessThan(2 * TAKEN_OVER);
    answer();
    await expect.poll(() => peer.ids()).toContain(1);
  });

  test('the one that pushes keeps its claim however long the peer takes', async () => {
    const elapsed = stopwatch();
    await expect.poll(() => elapsed() > TAKEN_OVER, { timeout: 2 * TAKEN_OVER }).toBe(true);
    expect(peer.count()).toBe(1);
    answer();
    await expect.poll(() => peer.ids()).toEqual([1]);
  });
});
