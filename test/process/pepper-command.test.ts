import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  createDatabase,
  ENGINES,
  type TestDatabase,
  temporaryFolder,
} from '../support/databases.ts';
import { bindEmail, fillAsSydent, hashDetails, lookUp } from '../support/peppers.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';

// Each starts several processes.
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

async function pepper(...args: string[]) {
  const command = spawn('pepper', ...args);
  return { status: await command.ended, output: command.log() };
}

const status = async () => JSON.parse((await pepper('status', '--json')).output);
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

describe.each(ENGINES)('cognomen pepper, on %s,', (engine) => {
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

  test('rotates beside a running server, which does the work, and tells how it is', async () => {
    const { first } = await startWith(100);
    await bindEmail({ url, internalUrl }, 'ada@sample.test', '@ada:sample.test');
    expect((await pepper('status')).output).toBe(
      `in force  ${first}  since before it was first rotated\n`,
    );
    expect(await status()).toEqual({
      phase: 'settled',
      lookup_pepper: first,
      alt_lookup_peppers: [],
    });
    const rotated = await pepper('rotate');
    const second = await announced();
    expect(rotated).toEqual({
      status: 0,
      output: expect.stringMatching(
        `in force  ${second}  since \\S+Z\nformer    ${first}  until \\S+Z\n$`,
      ),
    });
    const told = await status();
    expect(told).toEqual({
      phase: 'grace',
      lookup_pepper: second,
      since: expect.any(Number),
      alt_lookup_peppers: [{ lookup_pepper: first, until: expect.any(Number) }],
    });
    const grace = told.alt_lookup_peppers[0].until - told.since;
    expect(grace).toBe(24 * 60 * 60 * 1000);
    for (const by of [first, second]) expect(await found(99, by)).toBe('@user99:sample.test');

    for (let i = 0; i < 2; i++) expect((await pepper('rotate')).status).toBe(0);
    expect(await pepper('rotate')).toEqual({
      status: 1,
      output: expect.stringContaining('the next rotation is possible from'),
    });
  });

  test('rotates by itself where no server runs', async () => {
    const { server, first } = await startWith(100);
    await server.stop();
    const { status: done, output } = await pepper('rotate');
    expect(done).toBe(0);
    expect(output).toContain(`former    ${first}  until`);
    await start();
    expect(await announced()).not.toBe(first);
    for (const by of [first, await announced()]) {
      expect(await found(1, by)).toBe('@user1:sample.test');
    }
  });
});

test('cognomen pepper explains itself, and refuses what it does not understand', async () => {
  folder = await temporaryFolder();
  try {
    await writeConfig(folder.path);
    const help = await pepper('--help');
    expect(help.status).toBe(0);
    expect(help.output).toContain('cognomen pepper status');
    for (const args of [[], ['spin'], ['rotate', 'now']]) {
      expect((await pepper(...args)).status, args.join(' ')).toBe(2);
    }
    const unmade = await pepper('status');
    expect(unmade.status).toBe(1);
    expect(unmade.output).toContain('start the server once first');
  } finally {
    await folder.remove();
  }
});
