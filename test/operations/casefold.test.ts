import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCommand } from '../support/commands.ts';
import { ENGINES } from '../support/databases.ts';
import { bind } from '../support/invitations.ts';
import { lookup } from '../support/replicating-servers.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

/** As an old Sydent bound them, one after the other. */
const BOUND = [
  ['Ada@sample.test', '@old:sample.test'],
  ['ADA@sample.test', '@same:sample.test'],
  ['Bob@sample.test', '@bob:sample.test'],
  ['plain@sample.test', '@plain:sample.test'],
  ['aDa@sample.test', '@new:sample.test'],
  ['adA@sample.test', '@new:sample.test'],
  ['Cyd@sample.test', '@cyd:sample.test'],
  ['CYD@sample.test', '@cyd:sample.test'],
] as const;

describe.each(ENGINES)('addresses that differ by case only, beside a server on %s,', (engine) => {
  let server: TestServer;

  beforeEach(async () => {
    server = await startTestServer({ engine, now: Date.now() });
    for (const [index, [address, mxid]] of BOUND.entries()) {
      await server.database.execute(
        `insert into local_threepid_associations (medium, address, mxid, ts, "notBefore", "notAfter")
          values ('email', ?, ?, ?, 1, 4000000000000)`,
        [address, mxid, 1000 + index],
      );
    }
    await server.restart();
  });
  afterEach(() => server.stop());

  const run = (...args: string[]) =>
    runCommand('casefold', ...args, '-c', server.config.files[0] ?? '');
  async function json(...args: string[]) {
    const { output } = await run(...args, '--json');
    // What takes a second says before it how far it is.
    return JSON.parse(output.slice(output.indexOf('{')));
  }
  async function log() {
    const rows = (await server.database.execute(
      'select address, mxid, ts from local_threepid_associations order by lower(address), ts',
    )) as { ts: number | string }[];
    return rows.map((row) => ({ ...row, ts: Number(row.ts) }));
  }
  const ada = {
    address: 'ada@sample.test',
    mxid: '@new:sample.test',
    removed: [
      { to: 'Ada@sample.test', mxid: '@old:sample.test' },
      { to: 'ADA@sample.test', mxid: '@same:sample.test' },
    ],
  };
  const FOLDED = [
    { address: 'ada@sample.test', mxid: '@new:sample.test', ts: 1005 },
    { address: 'bob@sample.test', mxid: '@bob:sample.test', ts: 1002 },
    { address: 'cyd@sample.test', mxid: '@cyd:sample.test', ts: 1007 },
    { address: 'plain@sample.test', mxid: '@plain:sample.test', ts: 1003 },
  ];

  test('are looked at, then folded, and who has one no more is told by mail', async () => {
    const before = await log();
    const counted = { folded: 3, removed: 2, left: 0, addresses: [{ ...ada, left: false }] };
    expect(await json('--dry-run')).toEqual({ dry_run: true, ...counted });
    expect(await log()).toEqual(before);
    expect(server.smtp.mails).toEqual([]);

    expect(await json()).toEqual({ dry_run: false, ...counted });
    expect(await log()).toEqual(FOLDED);
    const mails = server.smtp.mails.map(({ to, parsed }) => [to, parsed.subject, parsed.text]);
    expect(mails).toEqual([
      [['Ada@sample.test'], expect.any(String), expect.stringContaining('@old:sample.test')],
      [['ADA@sample.test'], expect.any(String), expect.stringContaining('@same:sample.test')],
    ]);
    for (const address of ['ADA@sample.test', 'ada@sample.test', 'Ada@Sample.test']) {
      expect(await lookup(server, address)).toMatchObject({
        address: 'ada@sample.test',
        mxid: '@new:sample.test',
        ts: 1005,
      });
    }
    const rows = await server.database.execute(
      'select address from global_threepid_associations order by address',
    );
    expect(rows).toHaveLength(4);
    expect(await runCommand('db', 'verify', '-c', server.config.files[0] ?? '')).toMatchObject({
      status: 0,
    });
    expect(await run()).toEqual({
      status: 0,
      output: expect.stringContaining('0 addresses folded, 0 bindings removed, 0 left'),
    });
  });

  test('are left as they are where somebody cannot be told, unless nobody is to be', async () => {
    server.smtp.refuse(550);
    const { status, output } = await run();
    expect({ status, output }).toEqual({
      status: 1,
      output: expect.stringMatching(
        /\n2 addresses folded, 0 bindings removed, 1 left as they were\nada@sample\.test → @new:sample\.test, no longer @old.*: left, a mail could not be sent\n$/,
      ),
    });
    expect(await lookup(server, 'ada@sample.test')).toMatchObject({ mxid: '@new:sample.test' });
    expect(await log()).toHaveLength(7);
    expect(await json('--no-email')).toMatchObject({ folded: 1, removed: 2, left: 0 });
    expect(await log()).toEqual(FOLDED);
    expect(server.smtp.mails).toEqual([]);
  });

  test('are left to who binds them meanwhile', async () => {
    await bind(server, 'ada@sample.test', '@later:sample.test');
    expect(await json()).toMatchObject({ folded: 2, removed: 0 });
    expect(await lookup(server, 'ada@sample.test')).toMatchObject({ mxid: '@later:sample.test' });
  });
});
