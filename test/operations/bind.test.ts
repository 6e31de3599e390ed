import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { operationContext } from '../../src/app/operating.ts';
import { bind } from '../../src/operations/bind.ts';
import { openForCommand } from '../../src/storage/for-command.ts';
import { runCommand } from '../support/commands.ts';
import { createDatabase, ENGINES, temporaryFolder } from '../support/databases.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { invite } from '../support/invitations.ts';
import { spawnCognomen, writeConfig } from '../support/process.ts';
import { introduce, lookup, startReplicatingServer } from '../support/replicating-servers.ts';
import { noticesWithin, startTestServer, type TestServer } from '../support/server.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

let ca: TestCa;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  ca = await createTestCa();
  folder = await temporaryFolder();
});
afterAll(async () => {
  await ca.remove();
  await folder.remove();
});

async function textFile(name: string, text: string | Buffer): Promise<string> {
  const file = path.join(folder.path, name);
  await writeFile(file, text);
  return file;
}

describe.each(ENGINES)('binding by command, beside a server on %s,', (engine) => {
  let hs: TestHomeserver;
  let server: TestServer;

  beforeEach(async () => {
    hs = await startHomeserver({ ca });
    server = await startTestServer({
      engine,
      now: Date.now(),
      trustedCa: ca.pem,
      noticeTimings: { poll: 20 },
      homeserverTimings: noticesWithin(2000),
      sections: { general: hs.reachable },
    });
  });
  afterEach(async () => {
    await server.stop();
    await hs.close();
  });

  async function run(...args: string[]) {
    const done = await runCommand(...args, '-c', server.config.files[0] ?? '');
    // Commands go by the system's clock.
    server.clock.advance(Date.now() - server.clock.now());
    return done;
  }
  async function json(...args: string[]) {
    const { output } = await run(...args, '--json');
    // What takes a second says before it how far it is.
    return JSON.parse(output.slice(output.search(/[{[]/)));
  }

  test('an address is found, and the homeserver gets its invitations', async () => {
    const { token } = await invite(server, 'ada@sample.test');
    const mxid = `@ada:${hs.serverName}`;
    expect(await json('bind', 'Ada@Sample.test', mxid)).toEqual({
      medium: 'email',
      address: 'ada@sample.test',
      mxid,
      homeserver: hs.serverName,
    });
    expect(await lookup(server, 'ADA@sample.test')).toMatchObject({ mxid });
    const told = await hs.nextOnbind();
    expect(told).toMatchObject({ mxid, address: 'ada@sample.test' });
    expect(told.invites.map((one: { token: string }) => one.token)).toEqual([token]);

    expect(await json('bind', 'ada@sample.test', '@eve:other.test', '--dry-run')).toMatchObject({
      replaced: mxid,
    });
    expect(await lookup(server, 'ada@sample.test')).toMatchObject({ mxid });
    const { status, output } = await run('bind', 'ada@sample.test', '@eve:other.test');
    expect({ status, output }).toEqual({
      status: 0,
      output: `email ada@sample.test → @eve:other.test, in place of ${mxid}; to be told: other.test\n`,
    });
    expect(await lookup(server, 'ada@sample.test')).toMatchObject({ mxid: '@eve:other.test' });
  });

  test('a binding is taken back, to that user alone', async () => {
    await run('bind', '+44 7700 900123', '@ada:sample.test');
    await run('bind', 'Ada@sample.test', '@ada:sample.test');
    expect(await run('unbind', 'ada@sample.test', '@eve:sample.test')).toEqual({
      status: 1,
      output: 'this server has no such binding\n',
    });
    expect(await run('unbind', 'ADA@sample.test', '@ada:sample.test')).toEqual({
      status: 0,
      output: 'unbound\n',
    });
    expect(await lookup(server, 'ada@sample.test')).toEqual({});
    expect(await run('unbind', 'ADA@sample.test', '@ada:sample.test')).toMatchObject({ status: 1 });
    expect(await json('outbox', 'list')).toHaveLength(1);
    expect(await run('unbind', '447700900123', '--mxid', '@ada:sample.test')).toMatchObject({
      status: 0,
    });
    expect(await json('outbox', 'list')).toEqual([]);
  });

  test('a file is looked at, bound, and bound again without a change', async () => {
    await run('bind', 'had@sample.test', '@had:sample.test');
    await run('bind', 'has@sample.test', '@has:sample.test');
    const file = await textFile(
      `${engine}.csv`,
      Buffer.concat([
        Buffer.from('\ufeffAda@sample.test,@ada:sample.test\r\n\r\n'),
        Buffer.from('"447700900123", "@bob:sample.test"\n'),
        Buffer.from('had@sample.test,@new:sample.test\nhas@sample.test,@has:sample.test\n'),
        Buffer.from('nobody,@ada:sample.test\nada@sample.test,ada\nada@sample.test\n'),
        Buffer.from('a@sample.test,@a:sample.test,more\n'),
        Buffer.from([0x61, 0xff, 0x40, 0x0a]),
        Buffer.from(`${'x'.repeat(5000)}@sample.test,@x:sample.test\n`),
        Buffer.from('ada@sample.test,@last:sample.test'),
      ]),
    );
    const before = await json('stats');
    const counted = { lines: 11, replaced: 1, unchanged: 1, failed: 6 };
    const failures = [
      { line: 6, reason: expect.stringContaining('is no email address') },
      { line: 7, reason: expect.stringContaining('is no Matrix user id') },
      { line: 8, reason: expect.stringContaining('is not of the form') },
      { line: 9, reason: expect.stringContaining('is not of the form') },
      { line: 10, reason: expect.stringContaining('no UTF-8') },
      { line: 11, reason: expect.stringContaining('too long') },
    ];
    const dry = await json('bind', '--from', file, '--dry-run');
    expect(dry).toEqual({ dry_run: true, ...counted, bound: 3, failures });
    expect(await json('stats')).toEqual(before);

    // The address that comes twice is bound, then bound in place of that.
    const done = await json('bind', '--from', file);
    expect(done).toEqual({ dry_run: false, ...counted, replaced: 2, bound: 2, failures });
    expect(await lookup(server, 'ada@sample.test')).toMatchObject({ mxid: '@last:sample.test' });
    expect(await lookup(server, 'had@sample.test')).toMatchObject({ mxid: '@new:sample.test' });

    const good = await textFile('good.csv', 'ada@sample.test,@last:sample.test\n');
    const log = 'select max(id) as id from local_threepid_associations';
    const [last] = await server.database.execute(log);
    expect(await run('bind', '--from', good)).toEqual({
      status: 0,
      output: expect.stringContaining(
        '1 lines: 0 bound, 0 in place of another user, 1 as they were, 0 failed\n',
      ),
    });
    expect(await server.database.execute(log)).toEqual([last]);
    expect(await run('bind', '--from', file)).toMatchObject({
      status: 1,
      output: expect.stringContaining('\nline 6: "nobody" is no email address'),
    });
  });

  test('a text that is no file is bound, too', async () => {
    const storage = await openForCommand(server.config.db, pino({ level: 'silent' }));
    try {
      const context = operationContext(server.config, { storage });
      const options = { from: 'ada@sample.test,@ada:sample.test\nnonsense' };
      const input = { argument: undefined, options, flags: new Set<string>() };
      expect(await bind.run(input, context)).toMatchObject({ lines: 2, bound: 1, failed: 1 });
    } finally {
      await storage.close();
    }
  });

  test('a peer is told within seconds', async () => {
    const [a, b] = [
      await startReplicatingServer(ca, 'a.test', { engine }),
      await startReplicatingServer(ca, 'b.test', { engine }),
    ];
    try {
      for (const { clock } of [a, b]) clock.advance(Date.now() - clock.now() + 60_000);
      await introduce(a, b);
      await introduce(b, a);
      const config = ['-c', a.config.files[0] ?? ''];
      await runCommand('bind', 'ada@sample.test', '@ada:a.test', ...config);
      await expect.poll(() => lookup(b, 'ada@sample.test')).toMatchObject({ mxid: '@ada:a.test' });
      await runCommand('unbind', 'ada@sample.test', '@ada:a.test', ...config);
      await expect.poll(() => lookup(b, 'ada@sample.test')).toEqual({});
    } finally {
      await a.stop();
      await b.stop();
    }
  });

  test.each([
    [['bind'], 'bind wants ADDRESS and MXID, or --from FILE'],
    [['bind', 'ada@sample.test'], 'bind wants ADDRESS and MXID, or --from FILE'],
    [['bind', 'ada@sample.test', 'ada'], 'is no Matrix user id'],
    [['bind', 'ada', '@ada:sample.test'], 'is no email address'],
    [['bind', '@eve:sample.test', '@ada:sample.test'], 'is a user id, not an address'],
    [['bind', 'a@b.test', '@ada:sample.test', 'more'], 'bind takes no further argument'],
    [['bind', 'a@b.test', '@ada:b.test', '--mxid', '@eve:b.test'], 'give --mxid once'],
    [['bind', 'a@b.test', '@ada:b.test', '--from', 'some.csv'], 'or --from FILE'],
    [['unbind', 'a@b.test'], 'unbind wants ADDRESS and MXID'],
    [['unbind'], 'unbind wants ADDRESS and MXID'],
  ])('%j is not understood', async (args, reason) => {
    expect(await run(...args)).toMatchObject({
      status: 2,
      output: expect.stringContaining(reason),
    });
  });

  test('a file that cannot be read is named', async () => {
    expect(await run('bind', '--from', '/nowhere/some.csv')).toMatchObject({
      status: 1,
      output: expect.stringMatching(/^\/nowhere\/some\.csv cannot be read: ENOENT/),
    });
  });
});

test.each(ENGINES)(
  'a run that is killed goes on when it is started again, on %s',
  async (engine) => {
    const database = await createDatabase(engine);
    const cwd = folder.path;
    const { file, internalUrl } = await writeConfig(cwd, { db: database.config });
    const server = spawnCognomen(['serve'], { cwd });
    try {
      await server.untilLogged('Ready');
      const count = 1000;
      const lines = Array.from(
        { length: count },
        (_, i) => `u${i}@sample.test,@u${i}:sample.test\n`,
      );
      const csv = await textFile('many.csv', lines.join(''));
      const bound = async () => {
        const rows = await database.execute(
          'select count(*) as count from global_threepid_associations',
        );
        return Number((rows[0] as { count: number }).count);
      };
      const first = spawnCognomen(['bind', '--from', csv, '-c', file], { cwd });
      await expect.poll(bound, { interval: 5 }).toBeGreaterThan(64);
      // Whoever binds beside it is not held up.
      const beside = await fetch(`${internalUrl}/_matrix/identity/internal/bind`, {
        method: 'POST',
        body: '{"medium":"email","address":"beside@sample.test","mxid":"@b:sample.test"}',
      });
      expect(beside.status).toBe(200);
      await first.stop('SIGKILL');
      const done = await bound();
      expect(done).toBeLessThan(count);
      const second = spawnCognomen(['bind', '--from', csv, '-c', file], { cwd });
      expect(await second.ended).toBe(0);
      expect(second.log()).toContain(`${done - 1} as they were, 0 failed`);
      expect(await bound()).toBe(count + 1);
      const [log] = await database.execute(
        'select count(*) as count from local_threepid_associations',
      );
      expect(Number((log as { count: number }).count)).toBe(count + 1);
    } finally {
      await server.stop();
      await database.drop();
    }
  },
);
