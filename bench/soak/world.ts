/** All that a soak runs: the server, its database, relay and homeserver, and a peer. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from '../../test/support/databases.ts';
import { freePort } from '../../test/support/free-port.ts';
import { startHomeserver, type TestHomeserver } from '../../test/support/homeserver.ts';
import { type PostgresServer, startPostgres } from '../../test/support/postgres-server.ts';
import { childrenOf } from '../../test/support/process.ts';
import {
  befriend,
  createReplicatingProcess,
  type ReplicatingProcess,
} from '../../test/support/replicating-process.ts';
import { newSigningKey } from '../../test/support/replicating-servers.ts';
import { createTestCa } from '../../test/support/tls.ts';
import { memoryOf } from '../processes.ts';
import { type SoakRelay, startSoakRelay } from './relay.ts';

export type EngineName = 'sqlite' | 'postgres';

/** How many serve: nodes on one database, each of so many workers. */
export interface Size {
  readonly nodes: number;
  readonly workers: number;
}

/** What all processes of the server hold together. */
export interface Held {
  /** MiB. */
  readonly memory: number;
  readonly files: number;
  /** Sockets, timers and the like that Node watches over. */
  readonly handles: number;
}

/** One node of the server. */
export interface Node {
  readonly server: ReplicatingProcess;
  /** The process ids of its workers; none where one process does all. */
  workers(): number[];
  /** Starts it anew; the former one must have ended. */
  restart(): Promise<void>;
}

export interface World {
  /** The first node; of its addresses each is the next node's, so that every request goes to another one. */
  readonly server: ReplicatingProcess;
  readonly nodes: readonly Node[];
  /** Processes that serve, in all. */
  readonly processes: number;
  readonly peer: ReplicatingProcess;
  readonly hs: TestHomeserver;
  readonly relay: SoakRelay;
  readonly postgres: PostgresServer | undefined;
  /** Path of the SQLite file. */
  readonly file: string;
  held(): Promise<Held>;
  /** Everything that the server has logged so far, of all its lives. */
  logs(): string;
  stop(): Promise<void>;
}

/** Seconds: so that what stands still is noticed within a soak. */
const LIMITS = 'db.statement_timeout = 2\ndb.connect_timeout = 2';

const sum = (all: readonly number[]) => all.reduce((total, each) => total + each, 0);
const filesOf = (pid: number) => {
  const folder = `/proc/${pid}/fd`;
  return existsSync(folder) ? readdirSync(folder).length : Number.NaN;
};

/** What its metrics say. */
async function handlesOf(metricsUrl: string): Promise<number> {
  const answer = await fetch(metricsUrl).catch(() => undefined);
  if (answer?.ok !== true) return Number.NaN;
  const values = (await answer.text()).matchAll(/^nodejs_active_handles_total(?:\{.*\})? (\S+)$/gm);
  return sum([...values].map(([, value]) => Number(value)));
}

export async function startWorld(engine: EngineName, size: Size): Promise<World> {
  const ca = await createTestCa();
  const day = 24 * 60 * 60 * 1000;
  const hs = await startHomeserver({ ca, validUntil: Date.now() + day });
  const relay = await startSoakRelay();
  const folder = await temporaryFolder();
  const postgres = engine === 'postgres' ? await startPostgres({ durable: true }) : undefined;
  const file = path.join(folder.path, 'sydent.db');
  const twin = {
    db: postgres
      ? `db.url = ${postgres.url.replaceAll('%', '%%')}\n${LIMITS}`
      : `db.file = ${file}`,
    signingKey: newSigningKey(),
  };
  const startNode = async () => {
    const metricsPort = await freePort();
    const server = await createReplicatingProcess(ca, 'a.test', {
      env: { NODE_EXTRA_CA_CERTS: ca.file },
      twin,
      sections: {
        general: `${hs.reachable}workers = ${size.workers}
prometheus_addr = 127.0.0.1
prometheus_port = ${metricsPort}`,
        email: `email.from = noreply@a.test
email.hostname = a.test
email.smtphost = 127.0.0.1
email.smtpport = ${relay.port}
email.ratelimit_sender.burst = 1000000`,
      },
    });
    await server.start();
    let former = '';
    return {
      server,
      metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`,
      logs: () => former + server.process().log(),
      workers: () => childrenOf(server.process().pid),
      async restart() {
        await server.process().ended;
        former += server.process().log();
        await server.start();
      },
    };
  };
  const first = await startNode();
  const nodes = [first];
  while (nodes.length < size.nodes) nodes.push(await startNode());
  let turn = 0;
  const next = () => nodes[turn++ % nodes.length]?.server ?? first.server;
  const peer = await createReplicatingProcess(ca, 'b.test', {
    twin: { db: `db.file = ${path.join(folder.path, 'peer.db')}`, signingKey: newSigningKey() },
  });
  await peer.start();
  await befriend(first.server, peer);

  return {
    server: {
      ...first.server,
      get url() {
        return next().url;
      },
      get internalUrl() {
        return next().internalUrl;
      },
    },
    nodes,
    processes: size.nodes * size.workers,
    peer,
    hs,
    relay,
    postgres,
    file,
    async held() {
      const pids = nodes.flatMap(({ server, workers }) => [server.process().pid, ...workers()]);
      const handles = await Promise.all(nodes.map(({ metricsUrl }) => handlesOf(metricsUrl)));
      return {
        memory: sum(pids.map((pid) => memoryOf({ pid })?.now ?? Number.NaN)),
        files: sum(pids.map(filesOf)),
        handles: sum(handles),
      };
    },
    logs: () => nodes.map(({ logs }) => logs()).join(''),
    async stop() {
      for (const { server } of nodes) await server.remove();
      await peer.remove();
      await postgres?.stop();
      await relay.down();
      await hs.close();
      await folder.remove();
      await ca.remove();
    },
  };
}
