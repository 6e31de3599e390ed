/** What goes wrong meanwhile, one thing at a time. */
import { setTimeout as wait } from 'node:timers/promises';
import Database from 'better-sqlite3';
import pg from 'pg';
import { answerJson } from '../../test/support/homeserver.ts';
import type { Chance } from './random.ts';
import type { World } from './world.ts';

const ONBIND = '/_matrix/federation/v1/3pid/onbind';
const OPENID = '/_matrix/federation/v1/openid';

type Fault = (world: World, milliseconds: number, chance: Chance) => Promise<unknown>;

const general: Readonly<Record<string, Fault>> = {
  async 'the relay is down'({ relay }, time) {
    await relay.down();
    await wait(time);
    await relay.up();
  },
  async 'the relay is slow'({ relay }, time) {
    await relay.up(1500);
    await wait(time);
    await relay.up();
  },
  async 'the homeserver fails'({ hs }, time) {
    for (const path of [ONBIND, OPENID]) {
      hs.script(path, (_request, response) => answerJson(response, 502, {}));
    }
    await wait(time);
    for (const path of [ONBIND, OPENID]) hs.script(path, undefined);
  },
  async 'the homeserver is silent'({ hs }, time) {
    hs.script(ONBIND, () => {});
    await wait(time);
    hs.script(ONBIND, undefined);
  },
  async SIGHUP({ nodes }) {
    for (const { server } of nodes) server.process().child.kill('SIGHUP');
  },
  async 'a server is killed'({ nodes }, time, chance) {
    const node = chance.of(nodes);
    await node.server.process().stop('SIGKILL');
    await wait(time / 4);
    await node.restart();
  },
  async 'a server is restarted'({ nodes }, _time, chance) {
    const node = chance.of(nodes);
    await node.server.process().stop('SIGTERM');
    await node.restart();
  },
  async 'the peer is killed'({ peer }, time) {
    await peer.process().stop('SIGKILL');
    await wait(time / 4);
    await peer.start();
  },
};

const ofPostgres: Readonly<Record<string, Fault>> = {
  'PostgreSQL crashes': ({ postgres }, time) =>
    postgres?.crash(() => wait(time / 3)) ?? Promise.resolve(),
  'PostgreSQL stands still': ({ postgres }, time) =>
    postgres?.freeze(() => wait(time)) ?? Promise.resolve(),
  async 'all connections are ended'({ postgres }) {
    const client = new pg.Client(postgres?.url);
    client.on('error', () => {});
    await client.connect();
    await client.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'cognomen %'",
    );
    await client.end();
  },
};

const ofSqlite: Readonly<Record<string, Fault>> = {
  async 'another program writes the SQLite file'({ file }, time) {
    const other = new Database(file, { timeout: 5000 });
    other.exec('begin immediate');
    await wait(time);
    other.exec('rollback');
    other.close();
  },
};

const ofWorkers: Readonly<Record<string, Fault>> = {
  async 'a worker is killed'({ nodes }, _time, chance) {
    const workers = chance.of(nodes).workers();
    if (workers.length > 0) process.kill(chance.of(workers), 'SIGKILL');
  },
  async 'the workers are replaced'({ nodes }, _time, chance) {
    chance.of(nodes).server.process().child.kill('SIGUSR2');
  },
};

export interface Faults {
  /** How often each came. */
  readonly counts: ReadonlyMap<string, number>;
  /** No more from now on; resolves when the last is over. */
  end(): Promise<void>;
}

/** Milliseconds. */
const BETWEEN = { least: 1000, most: 6000 };
const LASTING = { least: 1000, most: 8000 };

export function startFaults(world: World, chance: Chance, say: (text: string) => void): Faults {
  const faults = Object.entries({
    ...general,
    ...(world.postgres ? ofPostgres : ofSqlite),
    ...(world.nodes.some(({ workers }) => workers().length > 0) ? ofWorkers : {}),
  });
  const counts = new Map<string, number>();
  const ending = new AbortController();
  async function run(): Promise<void> {
    for (;;) {
      const pause = chance.between(BETWEEN.least, BETWEEN.most);
      await wait(pause, undefined, { signal: ending.signal }).catch(() => {});
      if (ending.signal.aborted) return;
      const [name, fault] = chance.of(faults);
      const time = chance.between(LASTING.least, LASTING.most);
      say(`${name} (${(time / 1000).toFixed(1)} s)`);
      counts.set(name, (counts.get(name) ?? 0) + 1);
      await fault(world, time, chance);
    }
  }
  const running = run();
  running.catch(() => {});
  return {
    counts,
    async end() {
      ending.abort();
      await running;
    },
  };
}
