import { writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  befriend,
  createReplicatingProcess,
  type ReplicatingProcess,
} from '../support/replicating-process.ts';
import { bind, lookup, newSigningKey, unbind } from '../support/replicating-servers.ts';
import { startStandInPeer } from '../support/standin-peer.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const PATIENCE = { timeout: 60_000, interval: 50 };

let ca: TestCa;
beforeAll(async () => {
  ca = await createTestCa();
});
afterAll(() => ca.remove());

describe('two server processes', () => {
  let a: ReplicatingProcess;
  let b: ReplicatingProcess;

  beforeAll(async () => {
    [a, b] = await Promise.all([
      createReplicatingProcess(ca, 'a.test'),
      createReplicatingProcess(ca, 'b.test'),
    ]);
    await Promise.all([a.start(), b.start()]);
    // Beside the running servers.
    await befriend(a, b);
  });
  afterAll(async () => {
    await a?.remove();
    await b?.remove();
  });

  test('replicate bindings and deletions both ways', async () => {
    await bind(a, 'ada@sample.test', '@ada:sample.test');
    await bind(b, 'bob@sample.test', '@bob:sample.test');
    await expect.poll(() => lookup(b, 'ada@sample.test'), PATIENCE).toHaveProperty('mxid');
    await expect.poll(() => lookup(a, 'bob@sample.test'), PATIENCE).toHaveProperty('mxid');
    await unbind(a, 'ada@sample.test', '@ada:sample.test');
    await expect.poll(() => lookup(b, 'ada@sample.test'), PATIENCE).toEqual({});
    const { output } = await a.peers('status');
    expect(output).toMatch(
      /^b\.test {2}active {2}https:\/\/127.*\n {2}last success: 20.*\n {2}backlog: 0\n {2}last error: none\n {2}received: 1 bindings taken in, the last 20.*\n$/,
    );
  });

  test('lose nothing when one is killed', async () => {
    await b.process().stop('SIGKILL');
    for (let i = 0; i < 20; i++) await bind(a, `killed${i}@sample.test`, '@killed:sample.test');
    await expect
      .poll(async () => (await a.peers('status')).output, PATIENCE)
      .toMatch(/backlog: [1-9]\d*\n {2}last error: 20\S+ .*ECONNREFUSED/);
    await b.start();
    for (let i = 0; i < 20; i++) {
      await expect
        .poll(() => lookup(b, `killed${i}@sample.test`), PATIENCE)
        .toHaveProperty('mxid', '@killed:sample.test');
    }
  });

  test('use a new certificate after SIGHUP, and keep the old when the new one is none', async () => {
    await writeFile(a.certFile, 'nothing of the kind');
    a.process().child.kill('SIGHUP');
    await a.process().untilLogged('Reading the certificates again failed');
    await bind(a, 'kept@sample.test', '@kept:sample.test');
    await expect.poll(() => lookup(b, 'kept@sample.test'), PATIENCE).toHaveProperty('mxid');

    const otherCa = await createTestCa();
    const untrusted = await otherCa.issue('a.test', '127.0.0.1');
    await writeFile(a.certFile, untrusted.key + untrusted.cert);
    a.process().child.kill('SIGHUP');
    await a.process().untilLogged('Read the certificates again');
    await bind(a, 'untrusted@sample.test', '@untrusted:sample.test');
    await expect
      .poll(async () => (await a.peers('status')).output, PATIENCE)
      .toMatch(/backlog: 1\n {2}last error: 20/);
    expect(await lookup(b, 'untrusted@sample.test')).toEqual({});
    // The other direction fails by the same certificate.
    await bind(b, 'refused@sample.test', '@refused:sample.test');
    await expect
      .poll(async () => (await b.peers('status')).output, PATIENCE)
      .toMatch(
        /backlog: 1\n {2}last error: 20\S+ TLS with .*(?:unable to verify|certificate signature failure)/,
      );
    await otherCa.remove();

    const trusted = await ca.issue('a.test', '127.0.0.1');
    await writeFile(a.certFile, trusted.key + trusted.cert);
    a.process().child.kill('SIGHUP');
    await expect.poll(() => lookup(b, 'untrusted@sample.test'), PATIENCE).toHaveProperty('mxid');
    await expect.poll(() => lookup(a, 'refused@sample.test'), PATIENCE).toHaveProperty('mxid');
  });
});

describe('three server processes', () => {
  const servers: ReplicatingProcess[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.remove();
  });

  test('agree in the end, whoever is killed in between', async () => {
    for (const [name, engine] of [
      ['a.test', 'sqlite'],
      ['b.test', 'postgres'],
      ['c.test', 'sqlite'],
    ] as const) {
      const server = await createReplicatingProcess(ca, name, { engine });
      servers.push(server);
      await server.start();
    }
    const [a, b, c] = servers;
    if (a === undefined || b === undefined || c === undefined) throw new Error('There are three');
    await befriend(a, b);
    await befriend(b, c);
    await befriend(a, c);

    const mxids = new Map<string, string>();
    let next = 0;
    /** Binds that were answered count; a server killed meanwhile answers none. */
    const work = async (server: ReplicatingProcess, count: number) => {
      for (let i = 0; i < count; i++) {
        const address = `user${next++}@sample.test`;
        const mxid = `@${server.name.replace('.', '-')}:sample.test`;
        const answer = await bind(server, address, mxid).catch(() => undefined);
        if (answer?.status === 200) mxids.set(address, mxid);
      }
    };
    for (const victim of [c, b, a]) {
      const others = servers.filter((server) => server !== victim);
      await Promise.all([
        ...servers.map((server) => work(server, 40)),
        bind(victim, 'signal@sample.test', '@signal:sample.test').then(() =>
          victim.process().stop('SIGKILL'),
        ),
      ]);
      await Promise.all(others.map((server) => work(server, 40)));
      await victim.start();
    }
    // One address, said by all three, then taken back by the one that said it last.
    for (const server of servers) {
      await bind(server, 'all@sample.test', `@${server.name[0]}:sample.test`);
      for (const other of servers) {
        await expect
          .poll(() => lookup(other, 'all@sample.test'), PATIENCE)
          .toHaveProperty('mxid', `@${server.name[0]}:sample.test`);
      }
    }
    await unbind(c, 'all@sample.test', '@c:sample.test');
    for (const server of servers) {
      await expect.poll(() => lookup(server, 'all@sample.test'), PATIENCE).toEqual({});
    }
    expect(mxids.size).toBeGreaterThan(200);
    for (const server of servers) {
      for (const [address, mxid] of mxids) {
        await expect.poll(() => lookup(server, address), PATIENCE).toHaveProperty('mxid', mxid);
      }
    }
  });
});

test('two processes on one database push everything, in order', async () => {
  const first = await createReplicatingProcess(ca, 'origin.test', { engine: 'postgres' });
  const second = await createReplicatingProcess(ca, 'origin.test', { twin: first.twin });
  const standIn = await startStandInPeer({ ca, name: 'peer.test', pusher: first });
  try {
    await first.start();
    await second.start();
    await first.peers('add', 'peer.test', '--key', newSigningKey().publicKey, '--url', standIn.url);
    const work = (server: ReplicatingProcess, of: string) =>
      Promise.all(
        Array.from({ length: 5 }, async (_, worker) => {
          for (let i = 0; i < 20; i++) {
            await bind(server, `${of}${worker}-${i}@sample.test`, '@user:sample.test');
          }
        }),
      );
    await Promise.all([work(first, 'first'), work(second, 'second')]);
    const all = Array.from({ length: 200 }, (_, i) => i + 1);
    await expect
      .poll(() => [...new Set(standIn.ids())].sort((x, y) => x - y), PATIENCE)
      .toEqual(all);
    // One pushed at a time: nothing came twice, and nothing after what has a higher id.
    expect(standIn.ids()).toEqual(all);

    // The one that pushed dies with its claim; the other takes over when that lapses or at once.
    await first.process().stop('SIGKILL');
    await bind(second, 'survivor@sample.test', '@user:sample.test');
    await expect.poll(() => standIn.ids().at(-1), { ...PATIENCE, timeout: 120_000 }).toBe(201);
  } finally {
    await second.remove();
    await first.remove();
    await standIn.close();
  }
});
