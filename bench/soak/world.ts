/** All that a soak runs: the server, its database, relay and homeserver, and a peer. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from '../../test/support/databases.ts';
import { freePort } from '../../test/support/free-port.ts';
import { startHomeserver, type TestHomeserver } from '../../test/support/homeserver.ts';
import { type PostgresServer, startPostgres } from '../../test/support/postgres-server.ts';
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

/** What a process holds. */
export interface Held {
  /** MiB. */
  readonly memory: number;
  readonly files: number;
  /** Sockets, timers and the like that Node watches over. */
  readonly handles: number;
}

export interface World {
  readonly server: ReplicatingProcess;
  readonly peer: ReplicatingProcess;
  readonly hs: TestHomeserver;
  readonly relay: SoakRelay;
  readonly postgres: PostgresServer | undefined;
  /** Path of the SQLite file. */
  readonly file: string;
  held(): Promise<Held>;
  /** What the server's metric of that name says; undefined while it does not answer. */
  metric(name: string): Promise<number | undefined>;
  /** Everything that the server has logged so far, of all its lives. */
  logs(): string;
  /** Starts the server anew; the former one must have ended. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Seconds: so that what stands still is noticed within a soak. */
const LIMITS = 'db.statement_timeout = 2\ndb.connect_timeout = 2';

export async function startWorld(engine: EngineName): Promise<World> {
  const ca = await createTestCa();
  const day = 24 * 60 * 60 * 1000;
  const hs = await startHomeserver({ ca, validUntil: Date.now() + day });
  const relay = await startSoakRelay();
  const folder = await temporaryFolder();
  const postgres = engine === 'postgres' ? await startPostgres({ durable: true }) : undefined;
  const file = path.join(folder.path, 'sydent.db');
  const metricsPort = await freePort();
  const server = await createReplicatingProcess(ca, 'a.test', {
    env: { NODE_EXTRA_CA_CERTS: ca.file },
    twin: {
      db: postgres
        ? `db.url = ${postgres.url.replaceAll('%', '%%')}\n${LIMITS}`
        : `db.file = ${file}`,
      signingKey: newSigningKey(),
    },
    sections: {
      general: `${hs.reachable}prometheus_addr = 127.0.0.1\nprometheus_port = ${metricsPort}`,
      email: `email.from = noreply@a.test
email.hostname = a.test
email.smtphost = 127.0.0.1
email.smtpport = ${relay.port}
email.ratelimit_sender.burst = 1000000`,
    },
  });
  const peer = await createReplicatingProcess(ca, 'b.test', {
    twin: { db: `db.file = ${path.join(folder.path, 'peer.db')}`, signingKey: newSigningKey() },
  });
  await server.start();
  await peer.start();
  await befriend(server, peer);

  let former = '';
  async function metric(name: string): Promise<number | undefined> {
    const answer = await fetch(`http://127.0.0.1:${metricsPort}/metrics`).catch(() => undefined);
    if (answer?.ok !== true) return undefined;
    const values = (await answer.text()).matchAll(
      new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'),
    );
    return [...values].reduce((sum, [, value]) => sum + Number(value), 0);
  }
  return {
    server,
    peer,
    hs,
    relay,
    postgres,
    file,
    metric,
    async held() {
      const { child, pid } = server.process();
      const fds = `/proc/${pid}/fd`;
      return {
        memory: memoryOf(child)?.now ?? Number.NaN,
        files: existsSync(fds) ? readdirSync(fds).length : Number.NaN,
        handles: (await metric('nodejs_active_handles_total')) ?? Number.NaN,
      };
    },
    logs: () => former + server.process().log(),
    async restart() {
      await server.process().ended;
      former += server.process().log();
      await server.start();
    },
    async stop() {
      await server.remove();
      await peer.remove();
      await postgres?.stop();
      await relay.down();
      await hs.close();
      await folder.remove();
      await ca.remove();
    },
  };
}
