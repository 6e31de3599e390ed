/**
 * Replication between two servers, each a process of its own: how long a full log takes to reach a new
 * peer, how long a single binding takes, and what a bind costs while the log is pushed, compared with
 * the same binds before, in one run. `npm run bench:replication`, after a build.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pino from 'pino';
import { generate } from 'selfsigned';
import { systemClock } from '../src/platform/clock.ts';
import { secureRandom } from '../src/platform/random.ts';
import { encodeBase64 } from '../src/signing/base64.ts';
import { keyPairFromSeed } from '../src/signing/ed25519.ts';
import { openStorage } from '../src/storage/open.ts';
import { freePort } from '../test/support/free-port.ts';

const COUNT = 20_000;
const IDLE_BINDS = 200;
/** Milliseconds between binds: one more now and then, not a load of its own. */
const PAUSE = 20;
const SINGLE_BINDS = 30;
/** A Sydent peer is sent 100 every ten seconds. */
const SYDENT_RATE = 10;

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE));
const say = (text: string) => process.stdout.write(`${text}\n`);

interface BenchServer {
  readonly name: string;
  readonly folder: string;
  readonly publicKey: string;
  readonly ports: { client: number; internal: number; replication: number; metrics: number };
}

async function makeCertificates(root: string, names: readonly string[]): Promise<void> {
  const key = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const;
  const named = (name: string) => [{ name: 'commonName', value: name }];
  const authority = await generate(named('CA'), {
    ...key,
    extensions: [{ name: 'basicConstraints', cA: true, critical: true }],
  });
  await writeFile(path.join(root, 'ca.pem'), authority.cert);
  for (const name of names) {
    const issued = await generate(named(name), {
      ...key,
      ca: { key: authority.private, cert: authority.cert },
      extensions: [
        { name: 'basicConstraints', cA: false },
        {
          name: 'subjectAltName',
          altNames: [
            { type: 2, value: name },
            { type: 7, ip: '127.0.0.1' },
          ],
        },
      ],
    });
    await writeFile(path.join(root, `${name}.pem`), issued.private + issued.cert);
  }
}

async function makeServer(root: string, name: string): Promise<BenchServer> {
  const folder = await mkdtemp(path.join(root, `${name}-`));
  const seed = secureRandom.bytes(32);
  const ports = {
    client: await freePort(),
    internal: await freePort(),
    replication: await freePort(),
    metrics: await freePort(),
  };
  await writeFile(
    path.join(folder, 'sydent.conf'),
    `[general]
server.name = ${name}
log.path = server.log
log.level = WARNING
prometheus_addr = 127.0.0.1
prometheus_port = ${ports.metrics}
[http]
clientapi.http.bind_address = 127.0.0.1
clientapi.http.port = ${ports.client}
internalapi.http.bind_address = 127.0.0.1
internalapi.http.port = ${ports.internal}
replication.https.bind_address = 127.0.0.1
replication.https.port = ${ports.replication}
replication.https.certfile = ${path.join(root, `${name}.pem`)}
replication.https.cacert = ${path.join(root, 'ca.pem')}
[crypto]
ed25519.signingkey = ed25519 0 ${encodeBase64(seed)}
`,
  );
  return { name, folder, ports, publicKey: encodeBase64(keyPairFromSeed(seed).publicKey) };
}

async function fillLog({ folder, name }: BenchServer): Promise<void> {
  const file = path.join(folder, 'sydent.db');
  const storage = await openStorage(
    { engine: 'sqlite', file, backup: false, exclusive: false },
    {
      logger: pino({ level: 'silent' }),
      clock: systemClock,
      random: secureRandom,
      serverName: name,
      pidFile: '',
    },
  );
  const now = systemClock.now();
  const times = { ts: now, notBefore: now, notAfter: now + 1e12, lookupHash: undefined };
  for (let from = 0; from < COUNT; from += 1000) {
    await storage.transaction(async ({ associations }) => {
      for (let i = from; i < from + 1000; i++) {
        const threepid = { medium: 'email', address: `user${i}@sample.test` };
        await associations.appendToLog({ ...threepid, mxid: `@user${i}:s.test`, ...times }, []);
      }
    });
  }
  await storage.close();
}

const running: ChildProcess[] = [];

function cognomen(server: BenchServer, ...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: server.folder, stdio: 'inherit' });
  running.push(child);
  return child;
}

async function start(server: BenchServer): Promise<ChildProcess> {
  const child = cognomen(server);
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${server.ports.client}/health`).catch(() => {});
    if (answer?.ok) return child;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const addPeer = (to: BenchServer, peer: BenchServer) =>
  once(
    cognomen(
      to,
      'peers',
      'add',
      peer.name,
      '--key',
      peer.publicKey,
      ...['--url', `https://127.0.0.1:${peer.ports.replication}`],
    ),
    'close',
  );

/** Binds a new address; milliseconds. */
async function bind(server: BenchServer, address: string): Promise<number> {
  const from = performance.now();
  const answer = await fetch(
    `http://127.0.0.1:${server.ports.internal}/_matrix/identity/internal/bind`,
    {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ medium: 'email', address, mxid: '@bench:s.test' }),
    },
  );
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`A bind was answered ${answer.status}`);
  return performance.now() - from;
}

async function knows(server: BenchServer, address: string): Promise<boolean> {
  const query = new URLSearchParams({ medium: 'email', address });
  const url = `http://127.0.0.1:${server.ports.client}/_matrix/identity/api/v1/lookup?${query}`;
  return 'mxid' in ((await (await fetch(url)).json()) as object);
}

/** Seconds of processor time that a process has had; undefined where the system does not tell. */
async function processorTime(child: ChildProcess): Promise<number | undefined> {
  const stat = await readFile(`/proc/${child.pid}/stat`, 'utf8').catch(() => undefined);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields === undefined ? undefined : (Number(fields[11]) + Number(fields[12])) / 100;
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

const describe = (values: readonly number[]) =>
  `median ${quantile(values, 0.5).toFixed(1)} ms, 95 % ${quantile(values, 0.95).toFixed(1)} ms, ${values.length} binds`;

const root = await mkdtemp(path.join(os.tmpdir(), 'cognomen-bench-'));
try {
  await makeCertificates(root, ['origin.test', 'peer.test']);
  const origin = await makeServer(root, 'origin.test');
  const peer = await makeServer(root, 'peer.test');
  await fillLog(origin);
  const processes = [await start(origin), await start(peer)];
  await addPeer(peer, origin);

  for (let i = 0; i < 50; i++) await bind(origin, `warm${i}@sample.test`);
  const idle: number[] = [];
  for (let i = 0; i < IDLE_BINDS; i++) {
    idle.push(await bind(origin, `idle${i}@sample.test`));
    await pause();
  }
  say(`a bind on the idle origin: ${describe(idle)}`);

  await addPeer(origin, peer);
  const from = performance.now();
  const usedBefore = await Promise.all(processes.map(processorTime));
  const busy: number[] = [];
  const last = `user${COUNT - 1}@sample.test`;
  while (!(await knows(peer, last))) {
    busy.push(await bind(origin, `busy${busy.length}@sample.test`));
    await pause();
  }
  const seconds = (performance.now() - from) / 1000;
  const rate = COUNT / seconds;
  say(`${COUNT} associations to a new peer: ${seconds.toFixed(1)} s, ${rate.toFixed(0)} a second`);
  const used = (await Promise.all(processes.map(processorTime))).map((after, index) =>
    ((after ?? Number.NaN) - (usedBefore[index] ?? Number.NaN)).toFixed(1),
  );
  say(`processor time for it, the binds below included: ${used.join(' s and ')} s`);
  say(`ratio to Sydent’s rate of ${SYDENT_RATE} a second: ${(rate / SYDENT_RATE).toFixed(0)}`);
  say(`a bind on the origin meanwhile: ${describe(busy)}`);
  const ratio = quantile(busy, 0.5) / quantile(idle, 0.5);
  say(`ratio of busy to idle: ${ratio.toFixed(2)}`);

  const single: number[] = [];
  while (!(await knows(peer, `busy${busy.length - 1}@sample.test`)));
  for (let i = 0; i < SINGLE_BINDS; i++) {
    const address = `single${i}@sample.test`;
    const before = performance.now();
    await bind(origin, address);
    while (!(await knows(peer, address)));
    single.push(performance.now() - before);
  }
  say(`from the request on the origin to the lookup on the peer: ${describe(single)}`);
} finally {
  for (const child of running) child.kill();
  await Promise.all(running.map((child) => child.exitCode ?? once(child, 'close')));
  await rm(root, { recursive: true });
}
