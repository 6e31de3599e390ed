import { execFileSync } from 'node:child_process';
import { lstat, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writePidFile } from '../../src/platform/pid-file.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { temporaryFolder } from '../support/databases.ts';
import { freePort } from '../support/free-port.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';

// Each starts several processes.
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let pidFile: string;
let precious: string;
const running: ServerProcess[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
  pidFile = path.join(folder.path, 'sydent.pid');
  precious = path.join(folder.path, 'precious');
  await writeFile(precious, 'precious');
});
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop('SIGKILL');
  await folder.remove();
});

function spawn(...args: string[]): ServerProcess {
  const server = spawnCognomen(args, { cwd: folder.path });
  running.push(server);
  return server;
}

async function start(): Promise<ServerProcess> {
  await writeConfig(folder.path);
  const server = spawn();
  await server.untilLogged('Ready');
  return server;
}

const makePipe = (at: string) => execFileSync('/bin/sh', ['-c', 'mkfifo "$0"', at]);
const content = () => readFile(pidFile, 'utf8');

describe('a pid file in a folder that others write in', () => {
  test('takes the place of a link, and leaves alone what the link names', async () => {
    await symlink(precious, pidFile);
    const server = await start();
    expect((await lstat(pidFile)).isFile()).toBe(true);
    expect(await content()).toBe(`${server.pid}\n`);
    expect(await server.stop()).toBe(0);
    expect(await readFile(precious, 'utf8')).toBe('precious');
    expect(await readdir(folder.path)).not.toContain('sydent.pid');
  });

  test('is not written through a link at a name that can be guessed', async () => {
    for (const name of [`${pidFile}.${process.pid}`, `${pidFile}.tmp`, `${pidFile}.new`]) {
      await symlink(precious, name);
    }
    writePidFile(pidFile, secureRandom).remove();
    expect(await readFile(precious, 'utf8')).toBe('precious');
  });

  test('is not written through a link at a name that was guessed all the same, which stays', async () => {
    const guessed = { ...secureRandom, alphanumeric: () => 'guessed' };
    await symlink(precious, `${pidFile}.guessed`);
    expect(() => writePidFile(pidFile, guessed)).toThrow(/sydent\.pid cannot be written.*EEXIST/);
    expect(await readFile(precious, 'utf8')).toBe('precious');
    expect((await lstat(`${pidFile}.guessed`)).isSymbolicLink()).toBe(true);
  });

  test('is not a pipe that a start or a stop waits at', async () => {
    makePipe(pidFile);
    const server = await start();
    expect(await content()).toBe(`${server.pid}\n`);
    await rm(pidFile);
    makePipe(pidFile);
    expect(await server.stop()).toBe(0);
    expect((await lstat(pidFile)).isFIFO()).toBe(true);
  });
});

test.each(['999999999\n', String(process.pid), 'nonsense', ''])(
  'a pid file that holds %j, of a process that is not a server, is replaced',
  async (text) => {
    await writeFile(pidFile, text);
    const server = await start();
    expect(await content()).toBe(`${server.pid}\n`);
    expect(await server.stop()).toBe(0);
    expect(await readdir(folder.path)).not.toContain('sydent.pid');
  },
);

test('a start that fails because the server runs leaves its pid file alone', async () => {
  const server = await start();
  const text = await readFile(path.join(folder.path, 'sydent.conf'), 'utf8');
  const other = text.replace('[db]\n', '[db]\ndb.file = other.db\n');
  await writeFile(path.join(folder.path, 'other.conf'), other);
  // One finds the database in use, the other the ports.
  for (const file of ['sydent.conf', 'other.conf']) {
    const second = spawn('--config', file);
    expect(await second.ended).toBe(1);
    expect(await content()).toBe(`${server.pid}\n`);
  }
  expect(await server.stop()).toBe(0);
});

test('a server does not remove what another has put in the place of its pid file', async () => {
  const first = await start();
  const text = await readFile(path.join(folder.path, 'sydent.conf'), 'utf8');
  const ports = [await freePort(), await freePort()];
  const other = text
    .replace('[db]\n', '[db]\ndb.file = other.db\n')
    .replace(/(http\.port = )\d+/g, (_match, key) => `${key}${ports.pop()}`);
  await writeFile(path.join(folder.path, 'other.conf'), other);
  const second = spawn('--config', 'other.conf');
  await second.untilLogged('Ready');
  expect(await first.stop()).toBe(0);
  expect(await content()).toBe(`${second.pid}\n`);
  // A link to a file that holds its id is not its file either.
  await rename(pidFile, `${pidFile}.moved`);
  await symlink(`${pidFile}.moved`, pidFile);
  expect(await second.stop()).toBe(0);
  expect((await readdir(folder.path)).filter((name) => name.includes('.pid'))).toHaveLength(2);
});

test('a pid file that cannot be written stops the start, with its name and key', async () => {
  await writeConfig(folder.path, { general: 'pidfile.path = nowhere/sydent.pid' });
  const server = spawn();
  expect(await server.ended).toBe(1);
  expect(server.log()).toMatch(/nowhere\/sydent\.pid cannot be written.*pidfile\.path/);
});
