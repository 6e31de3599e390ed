/**
 * How fast the server is, as shares of what Node's bare HTTP server does in the same run: `npm run bench`. How it is
 * measured is told in docs/performance.md; `--help` lists the options.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { freePort } from '../test/support/free-port.ts';
import { startPostgres } from '../test/support/postgres-server.ts';
import { fillPostgres, fillSqlite, type PostgresAccess, SERVER_NAME } from './data.ts';
import { renderFlameGraph } from './flame.ts';
import { holdUp } from './hold-up.ts';
import { type Measured, type Measuring, measure } from './measure.ts';
import { measurePeer } from './peer.ts';
import {
  memoryOf,
  type ServerProgram,
  startBare,
  startLoad,
  startRelay,
  startServer,
} from './processes.ts';
import { chart, compare, type Results, type Run, table } from './report.ts';
import { WORKS } from './works.ts';

const HELP = `Measures the built server against Node's bare HTTP server, both on one core.

  npm run bench                   everything: 1,000, 100,000 and 1,000,000 associations, SQLite and PostgreSQL
  npm run bench -- --quick        a minute: the main works on 100,000 associations in SQLite
    --engine sqlite|postgres      one database only
    --associations 1000,100000    so many associations
    --work TEXT                   only works whose names hold the text
    --seconds 3 --rounds 3        how long and how often each is measured
    --connections 16
    --profile                     leaves profiles and flame graphs of the server in bench/results
    --peer URL [--peer-token T]   what another identity server does of what needs no data
    --check                       compares the ratios with those committed; fails where one is worse by a fifth
    --save                        writes bench/results/latest.json and the chart
`;

const RESULTS = path.join(import.meta.dirname, 'results');
const LATEST = path.join(RESULTS, 'latest.json');
const ENGINES = ['sqlite', 'postgres'] as const;
type EngineName = (typeof ENGINES)[number];

const { values: given } = parseArgs({
  options: {
    help: { type: 'boolean' },
    quick: { type: 'boolean', default: false },
    engine: { type: 'string' },
    associations: { type: 'string' },
    work: { type: 'string', default: '' },
    seconds: { type: 'string' },
    rounds: { type: 'string' },
    connections: { type: 'string', default: '16' },
    profile: { type: 'boolean', default: false },
    peer: { type: 'string' },
    'peer-token': { type: 'string' },
    check: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
  },
});
const say = (text: string) => process.stdout.write(`${text}\n`);

interface World {
  readonly engine: EngineName;
  /** Lines of `[db]`. */
  readonly database: string;
  /** Files of the database in bytes; undefined where it is not in files of ours. */
  readonly file: string | undefined;
  /** Makes what the planner knows true; the server's tables were just filled. */
  analyze(): Promise<void>;
  close(): Promise<void>;
}

async function sqliteWorld(folder: string, count: number): Promise<World> {
  const file = path.join(folder, 'sydent.db');
  await fillSqlite(file, count);
  return {
    engine: 'sqlite',
    database: `db.file = ${file}\ndb.backup_before_first_change = false`,
    file,
    analyze: async () => {},
    close: async () => {},
  };
}

async function postgresWorld(count: number): Promise<World> {
  // Durable: a commit that reaches no disk costs nothing.
  const server = await startPostgres({ durable: true });
  const url = new URL(server.url);
  const access: PostgresAccess = {
    host: url.hostname,
    port: Number(url.port),
    user: url.username,
    password: decodeURIComponent(url.password),
    database: 'postgres',
  };
  const { default: pg } = await import('pg');
  const execute = async (statement: string) => {
    const client = new pg.Client(access);
    await client.connect();
    await client.query(statement);
    await client.end();
  };
  // Statistics are to be as stale as they can be, until they are asked for.
  await execute('alter system set autovacuum = off');
  await execute('select pg_reload_conf()');
  await fillPostgres(access, count);
  return {
    engine: 'postgres',
    database: `db.url = ${server.url.replaceAll('%', '%%')}`,
    file: undefined,
    analyze: () => execute('vacuum analyze'),
    close: () => server.stop(),
  };
}

const SIGNING_KEY = 'ed25519 0 NJH1bm9xXG5YVQW6/nxl2NIqPTgNRFM2ZlGpOLqZRoQ';

async function writeConfig(folder: string, world: World, relay: string) {
  const [port, internalPort] = [await freePort(), await freePort()];
  const config = path.join(folder, 'sydent.conf');
  await writeFile(
    config,
    `[general]
server.name = ${SERVER_NAME}
pidfile.path =
log.path = ${path.join(folder, 'sydent.log')}
[db]
${world.database}
[http]
clientapi.http.bind_address = 127.0.0.1
clientapi.http.port = ${port}
internalapi.http.bind_address = 127.0.0.1
internalapi.http.port = ${internalPort}
client_http_base = https://${SERVER_NAME}
[email]
email.from = Bench <noreply@${SERVER_NAME}>
email.hostname = ${SERVER_NAME}
email.smtphost = 127.0.0.1
email.smtpport = ${new URL(relay).port}
email.ratelimit_sender.burst = 1000000
[crypto]
ed25519.signingkey = ${SIGNING_KEY}
`,
  );
  return { config, port, internalPort };
}

function wrong(text: string): never {
  process.stderr.write(`${text}; --help lists the options\n`);
  process.exit(2);
}

const quick = given.quick;
const counts = (given.associations ?? (quick ? '100000' : '1000,100000,1000000'))
  .split(',')
  .map(Number);
const engines = ENGINES.filter((name) => name === (given.engine ?? (quick ? 'sqlite' : name)));
if (engines.length === 0) wrong(`--engine is one of ${ENGINES.join(', ')}`);
if (!counts.every((count) => Number.isSafeInteger(count) && count > 0)) {
  wrong('--associations are numbers, with commas between them');
}
if (given.check && !existsSync(LATEST)) wrong(`--check needs ${LATEST}, which --save writes`);
const works = WORKS.filter(
  (work) => work.name.includes(given.work) && (!quick || work.quick || given.work !== ''),
);

if (works.length === 0) wrong(`No work's name holds ${given.work}`);

async function measureOn(
  world: World,
  count: number,
  folder: string,
  measuring: Measuring,
  relay: string,
): Promise<Run> {
  const settings = await writeConfig(folder, world, relay);
  // The first start takes over what is in the database; the next ones find that done.
  const first = await startServer(settings);
  const adoption = first.startTime;
  await first.stop();
  const profile = ['--cpu-prof', `--cpu-prof-dir=${RESULTS}`];
  const server: ServerProgram = await startServer({
    ...settings,
    flags: given.profile ? profile : [],
  });
  const idle = memoryOf(server.child)?.now;
  const measured: Measured[] = [];
  const measureAll = async (of: typeof works, suffix = '') => {
    for (const work of of) {
      const reach = work.reach?.[world.engine];
      const result = await measure(
        { ...work, name: work.name + suffix },
        { ...server, internalUrl: server.internalUrl },
        { ...measuring, count, reach },
      );
      measured.push(result);
      say(`  ${result.work}: ${result.ratio.toFixed(3)} (${Math.round(result.rate)}/s)`);
    }
  };
  try {
    if (world.engine === 'postgres') {
      await measureAll(
        works.filter(({ name }) => /^lookup of 100?,/.test(name)),
        ', no statistics',
      );
      await world.analyze();
    }
    await measureAll(works);
    const pingHeldUp = await holdUp(server.url, count);
    return {
      engine: world.engine,
      associations: count,
      seconds: { adoption: adoption / 1000, start: server.startTime / 1000 },
      mib: { idle, most: memoryOf(server.child)?.most },
      pingHeldUp,
      measured,
    };
  } finally {
    await server.stop();
    await world.close();
  }
}

async function main(): Promise<number> {
  if (given.help) {
    say(HELP);
    return 0;
  }
  await mkdir(RESULTS, { recursive: true });
  const [bare, relay, load] = [await startBare(), await startRelay(), startLoad()];
  const measuring: Measuring = {
    bare,
    load,
    connections: Number(given.connections),
    seconds: Number(given.seconds ?? (quick ? 1.5 : 3)),
    rounds: Number(given.rounds ?? (quick ? 1 : 3)),
  };
  const runs: Run[] = [];
  try {
    if (given.peer !== undefined) {
      await measurePeer(given.peer, given['peer-token'], measuring, say);
      return 0;
    }
    for (const engine of engines) {
      for (const count of counts) {
        const folder = await mkdtemp(path.join(os.tmpdir(), 'cognomen-bench-'));
        say(`${engine}, ${count} associations`);
        const world = await (engine === 'sqlite'
          ? sqliteWorld(folder, count)
          : postgresWorld(count));
        runs.push(await measureOn(world, count, folder, measuring, relay.url));
        await rm(folder, { recursive: true });
      }
    }
  } finally {
    await Promise.all([bare.stop(), relay.stop(), load.stop()]);
  }
  if (given.profile) await renderFlameGraph(RESULTS, say);
  const results: Results = { node: process.version, cpu: os.cpus()[0]?.model ?? '', runs };
  say(table(results));
  if (given.save) {
    await writeFile(LATEST, `${JSON.stringify(results, null, 2)}\n`);
    await writeFile(path.join(RESULTS, 'latest.svg'), chart(results));
  }
  if (!given.check) return 0;
  const worse = compare(results, JSON.parse(await readFile(LATEST, 'utf8')) as Results);
  for (const line of worse) say(line);
  return worse.length > 0 ? 1 : 0;
}

process.exitCode = await main();
