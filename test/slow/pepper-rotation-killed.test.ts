import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  createDatabase,
  ENGINES,
  type TestDatabase,
  temporaryFolder,
} from '../support/databases.ts';
import { bindEmail, fillAsSydent, hashDetails, lookUp, percentDone } from '../support/peppers.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';

// Each starts several processes.
vi.setConfig({ testTimeout: 120_000 });
const soon = { timeout: 60_000 };

/** So many that a rotation is not over before it is seen. */
const MANY = 60_000;
const TOKEN = 'token'.padEnd(64, 'x');

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let database: TestDatabase;
let url: string;
let internalUrl: string;
const running: ServerProcess[] = [];

function spawn(...args: string[]): ServerProcess {
  const one = spawnCognomen(args, { cwd: folder.path });
  running.push(one);
  return one;
}

async function start(): Promise<ServerProcess> {
  const server = spawn('serve');
  await server.untilLogged('Ready');
  return server;
}

const announced = async () => (await hashDetails({ url }, TOKEN)).lookup_pepper;
const found = (number: number, by: string) =>
  lookUp({ url }, TOKEN, `user${number}@sample.test`, by);

/** A server that has taken over so many associations; its pepper. */
async function startWith(count: number): Promise<{ server: ServerProcess; first: string }> {
  const empty = await start();
  await database.execute('insert into accounts (user_id, created_ts) values (?, 1)', ['@a:b.test']);
  await database.execute('insert into tokens (token, user_id) values (?, ?)', [TOKEN, '@a:b.test']);
  await empty.stop();
  await fillAsSydent(database, count);
  return { server: await start(), first: await announced() };
}

/** The command that rotates, as soon as some of the work is done, which whoever is at it still does. */
async function rotateHalfway(): Promise<ServerProcess> {
  const command = spawn('pepper', 'rotate');
  await expect.poll(() => percentDone(database), { ...soon, interval: 20 }).toBeGreaterThan(0);
  return command;
}

describe.each(ENGINES)('a rotation of the pepper, on %s,', (engine) => {
  beforeEach(async () => {
    folder = await temporaryFolder();
    database = await createDatabase(engine);
    ({ url, internalUrl } = await writeConfig(folder.path, { db: database.config }));
  });
  afterEach(async () => {
    for (const one of running.splice(0)) await one.stop('SIGKILL');
    await database.drop();
    await folder.remove();
  });

  test('goes on after kill -9 of server and command, by the next server', async () => {
    const { server, first } = await startWith(MANY);
    const command = await rotateHalfway();
    await Promise.all([server.stop('SIGKILL'), command.stop('SIGKILL')]);
    await start();
    expect(await announced()).toBe(first);
    await bindEmail({ url, internalUrl }, 'ada@sample.test', '@ada:sample.test');
    await expect.poll(announced, soon).not.toBe(first);
    const second = await announced();
    for (const by of [first, second]) {
      expect(await found(1, by)).toBe('@user1:sample.test');
      expect(await found(MANY, by)).toBe(`@user${MANY}:sample.test`);
      expect(await lookUp({ url }, TOKEN, 'ada@sample.test', by)).toBe('@ada:sample.test');
    }
  });

  test('goes on, where the server is killed, by the command that began it', async () => {
    const { server, first } = await startWith(MANY);
    const command = await rotateHalfway();
    await server.stop('SIGKILL');
    expect(await command.ended).toBe(0);
    await start();
    expect(await announced()).not.toBe(first);
    expect(await found(MANY, await announced())).toBe(`@user${MANY}:sample.test`);
  });

  test('stops in time with a rotation under way, and goes on where it was', async () => {
    const { server, first } = await startWith(MANY);
    const command = await rotateHalfway();
    await command.stop('SIGKILL');
    expect(await server.stop()).toBe(0);
    const work = await database.execute(
      "select value from cognomen_state where key = 'pepper_rotation'",
    );
    // Given back: the next need not wait until the claim lapses.
    if (work.length > 0) expect(JSON.parse((work[0] as { value: string }).value).until).toBe(0);
    await start();
    await expect.poll(announced, soon).not.toBe(first);
  });
});
