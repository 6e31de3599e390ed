import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createDatabase,
  ENGINES,
  type TestDatabase,
  temporaryFolder,
} from '../support/databases.ts';
import { startDnsServer, type TestDnsServer } from '../support/dns-server.ts';
import { freePort } from '../support/free-port.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { get, postJson } from '../support/http.ts';
import type { LookupWork } from '../support/lookup-worker.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

/** Of users of one homeserver about which DNS is silent, and of homeservers that there are not. */
const BINDS = { toOne: 4700, toEachItsOwn: 300 };
const CLIENTS = 8;
const GROWTH_MIB = 120;
const PATIENCE = 600_000;

let ca: TestCa;
let dns: TestDnsServer;
let hs: TestHomeserver;
beforeAll(async () => {
  ca = await createTestCa();
  dns = await startDnsServer({ 'silent.test': { failure: 'silence' } });
  hs = await startHomeserver({ ca });
  hs.openIdTokens.set('token', `@ada:${hs.serverName}`);
});
afterAll(async () => {
  await hs.close();
  await dns.close();
  await ca.remove();
});

const median = (times: readonly number[]) =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;

describe.each(ENGINES)('5,000 notices that nobody takes, on %s', (engine) => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let database: TestDatabase;
  let server: ServerProcess;
  let urls: { url: string; internalUrl: string };
  let metricsUrl: string;
  let work: LookupWork;

  beforeAll(async () => {
    folder = await temporaryFolder();
    database = await createDatabase(engine);
    const metricsPort = await freePort();
    metricsUrl = `http://127.0.0.1:${metricsPort}/metrics`;
    urls = await writeConfig(folder.path, {
      general: `${hs.reachable}dns.servers = ${dns.address}
prometheus_port = ${metricsPort}
prometheus_addr = 127.0.0.1`,
      db: database.config,
    });
    server = spawnCognomen([], { cwd: folder.path, env: { NODE_EXTRA_CA_CERTS: ca.file } });
    await server.untilLogged('Ready');
    const v2 = `${urls.url}/_matrix/identity/v2`;
    const registered = await postJson(`${v2}/account/register`, {
      access_token: 'token',
      token_type: 'Bearer',
      expires_in: 3600,
      matrix_server_name: hs.serverName,
    });
    const { token } = registered.json;
    const pepper = (await get(`${v2}/hash_details`, {}, token)).json.lookup_pepper;
    const body = JSON.stringify({ algorithm: 'sha256', pepper, addresses: ['x'] });
    work = { url: `${v2}/lookup`, token, body };
  });
  afterAll(async () => {
    await server.stop();
    await database.drop();
    await folder.remove();
  });

  const bind = async (name: string, homeserver: string) => {
    const bound = await postJson(`${urls.internalUrl}/_matrix/identity/internal/bind`, {
      medium: 'email',
      address: `${name}@sample.test`,
      mxid: `@${name}:${homeserver}`,
    });
    expect(bound.status).toBe(200);
  };
  const metric = async (line: RegExp) =>
    Number(line.exec((await get(metricsUrl)).text)?.[1] ?? Number.NaN);
  const memory = async () => {
    const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
  };
  /** From the bind on until the homeserver has been told, in ms, a few times. */
  async function deliveries(name: string): Promise<number[]> {
    const times: number[] = [];
    for (let count = 0; count < 20; count++) {
      const begin = performance.now();
      await bind(`${name}${count}`, hs.serverName);
      await hs.nextOnbind();
      times.push(performance.now() - begin);
    }
    return times;
  }
  /** The times of lookups while something else is done. */
  async function lookUpDuring(other: () => Promise<void>): Promise<number[]> {
    const worker = new Worker(new URL('../support/lookup-worker.ts', import.meta.url), {
      workerData: work,
    });
    await once(worker, 'message');
    await other();
    worker.postMessage('stop');
    const [times] = (await once(worker, 'message')) as [number[]];
    return times;
  }

  test(
    'leave lookups and other deliveries as fast, and memory bounded',
    async () => {
      let before: number[] = [];
      const lookupsBefore = await lookUpDuring(async () => {
        before = await deliveries('before');
      });
      const memoryBefore = await memory();

      const dead = [
        ...Array.from({ length: BINDS.toOne }, () => 'silent.test'),
        ...Array.from({ length: BINDS.toEachItsOwn }, (_, index) => `nowhere${index}.test`),
      ];
      const queue = dead.entries();
      const client = async () => {
        for (const [index, homeserver] of queue) await bind(`dead${index}`, homeserver);
      };
      await Promise.all(Array.from({ length: CLIENTS }, client));
      expect(await metric(/^cognomen_outbox_notices (\d+)$/m)).toBe(dead.length);

      let after: number[] = [];
      const lookupsAfter = await lookUpDuring(async () => {
        after = await deliveries('after');
      });
      const grown = (await memory()) - memoryBefore;
      const tried = await metric(/^cognomen_notices_total\{outcome="postponed"\} (\d+)$/m);
      const shown = (times: readonly number[]) => `${median(times).toFixed(1)} ms`;
      process.stdout.write(
        `${engine}: lookups ${shown(lookupsBefore)}, then ${shown(lookupsAfter)}; deliveries ${shown(before)}, then ${shown(after)}; ${tried} tries; ${grown.toFixed(0)} MiB more\n`,
      );
      expect(median(lookupsAfter)).toBeLessThan(median(lookupsBefore) * 2 + 5);
      expect(median(after)).toBeLessThan(median(before) * 2 + 200);
      expect(Math.max(...after)).toBeLessThan(3000);
      expect(grown).toBeLessThan(GROWTH_MIB);
      // One notice at a time finds out whether a homeserver is back.
      const turns = 12 * (BINDS.toEachItsOwn + 4);
      expect(tried).toBeLessThan(turns);
      const unasked =
        "select count(*) as n from cognomen_notices where server_name = 'silent.test' and attempts = 0";
      const [row] = (await database.execute(unasked)) as { n: unknown }[];
      expect(Number(row?.n)).toBeGreaterThan(BINDS.toOne - 50);
    },
    PATIENCE,
  );
});
