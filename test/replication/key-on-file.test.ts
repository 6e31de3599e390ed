import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  bind,
  introduce,
  newSigningKey,
  type ReplicatingServer,
  startReplicatingServer,
} from '../support/replicating-servers.ts';
import { type StandInPeer, startStandInPeer } from '../support/standin-peer.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const PATIENCE = { interval: 20 };
const NAME = 'origin.test';

let ca: TestCa;
let server: ReplicatingServer | undefined;
const standIns: StandInPeer[] = [];

beforeAll(async () => {
  ca = await createTestCa();
  return () => ca.remove();
});
afterEach(async () => {
  await server?.stop();
  for (const standIn of standIns.splice(0)) await standIn.close();
});

/** A server that had these keys before, the newest first. */
async function start(former: readonly { line: string }[]): Promise<ReplicatingServer> {
  const lines = former.map(({ line }) => `\n  ${line}`).join('');
  server = await startReplicatingServer(ca, NAME, {
    keyVersion: 'now',
    crypto: `ed25519.old_signing_keys =${lines}`,
  });
  return server;
}

/** A Sydent that has this key of the server on file. */
async function startPeer(
  to: ReplicatingServer,
  onFile: { name: string; publicKey: string },
  refuses?: () => readonly number[],
): Promise<StandInPeer> {
  const options = { ca, name: 'sydent.test', pusher: onFile, ...(refuses && { refuses }) };
  const standIn = await startStandInPeer(options);
  standIns.push(standIn);
  const { publicKey } = newSigningKey();
  await introduce(to, { name: 'sydent.test', publicKey, replicationUrl: standIn.url });
  return standIn;
}

describe('a Sydent peer after the signing key was changed', () => {
  const older = newSigningKey('0');
  const newer = newSigningKey('1');

  test('takes pushes by the key that it has on file, and by the new one when it has that', async () => {
    const origin = await start([newer, older]);
    const onFile = { name: NAME, publicKey: older.publicKey };
    const peer = await startPeer(origin, onFile);
    await bind(origin, 'ada@sample.test', '@ada:sample.test');
    await expect.poll(() => peer.ids(), PATIENCE).toEqual([1]);
    // It was asked by three keys; from now on by the one that it knows.
    const asked = peer.count();
    expect(asked).toBe(3);
    await bind(origin, 'bob@sample.test', '@bob:sample.test');
    await expect.poll(() => peer.ids(), PATIENCE).toEqual([1, 2]);
    expect(peer.count()).toBe(asked + 1);

    onFile.publicKey = origin.publicKey;
    await bind(origin, 'eve@sample.test', '@eve:sample.test');
    await expect.poll(() => peer.ids(), PATIENCE).toEqual([1, 2, 3]);
    expect(peer.count()).toBe(asked + 3);
  });

  test('that refuses an association whatever the key is asked by each of them a bounded number of times', async () => {
    const origin = await start(
      Array.from({ length: 12 }, (_, index) => newSigningKey(`v${index}`)),
    );
    const onFile = { name: NAME, publicKey: origin.publicKey };
    let isWilling = false;
    const peer = await startPeer(origin, onFile, () => (isWilling ? [] : [1]));
    await bind(origin, 'ada@sample.test', '@ada:sample.test');
    // The key that signs, and eight former ones; then it waits.
    await expect.poll(() => peer.count(), PATIENCE).toBe(9);
    isWilling = true;
    await expect.poll(() => peer.ids(), PATIENCE).toEqual([1]);
    expect(peer.count()).toBe(10);
  });
});
