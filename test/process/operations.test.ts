import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { operationContext } from '../../src/app/operating.ts';
import { showInvite } from '../../src/operations/invites.ts';
import { openForCommand } from '../../src/storage/for-command.ts';
import { runCommand } from '../support/commands.ts';
import { ENGINES } from '../support/databases.ts';
import { postJson } from '../support/http.ts';
import { bind, invite } from '../support/invitations.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

describe.each(ENGINES)('what operators ask, beside a server that runs on %s,', (engine) => {
  let server: TestServer;

  beforeEach(async () => {
    server = await startTestServer({ engine, now: Date.now() });
  });
  afterEach(() => server.stop());

  const run = (...args: string[]) => runCommand(...args, '-c', server.config.files[0] ?? '');
  async function json(...args: string[]) {
    const { output } = await run(...args, '--json');
    return JSON.parse(output);
  }

  test('how much there is', async () => {
    expect(await json('stats')).toMatchObject({ associations: [], accounts: 0 });
    await bind(server, 'ada@sample.test', '@ada:sample.test');
    await invite(server, 'bob@sample.test');
    await server.token('@ada:sample.test');
    const counted = await json('stats');
    expect(counted).toMatchObject({
      associations: [{ medium: 'email', own: 1, of_peers: 0 }],
      invitations: { pending: 1 },
      accounts: 1,
      tokens: 1,
      owed: { notices: 1, homeservers: 1 },
    });
    expect(Math.abs(counted.invitations.oldest - Date.now())).toBeLessThan(120_000);
    const { status, output } = await run('stats');
    expect(status).toBe(0);
    expect(output).toContain('associations (email)  1 of this server, 0 of peers');
  });

  test('whose an address is, and which addresses a user has', async () => {
    await bind(server, 'ada@sample.test', '@ada:sample.test');
    await bind(server, 'Ada.Two@Sample.test', '@ada:sample.test');
    await database(`insert into global_threepid_associations
      (medium, address, mxid, ts, "notBefore", "notAfter", "originServer", "originId", "sgAssoc")
      values ('email', 'old@sample.test', '@ada:sample.test', 1, 1, 2, 'peer.test', 1, '{}')`);
    for (const address of ['ADA@sample.test', 'ada@sample.test']) {
      expect(await json('lookup', address)).toMatchObject([
        {
          address: 'ada@sample.test',
          mxid: '@ada:sample.test',
          origin: 'id.test',
          signature: 'good',
          in_force: true,
        },
      ]);
    }
    const all = await json('lookup', '@ada:sample.test');
    expect(
      all.map(({ address, signature, in_force: inForce }: Record<string, unknown>) => [
        address,
        signature,
        inForce,
      ]),
    ).toEqual([
      ['ada@sample.test', 'good', true],
      ['ada.two@sample.test', 'good', true],
      ['old@sample.test', 'unreadable', false],
    ]);
    const paged = await json(
      'lookup',
      '@ada:sample.test',
      '--limit',
      '1',
      '--after',
      String(all[0].id),
    );
    expect(paged).toMatchObject([{ address: 'ada.two@sample.test' }]);
    const { status, output } = await run('lookup', 'ada@sample.test');
    expect(status).toBe(0);
    expect(output).toMatch(
      /^email ada@sample\.test → @ada:sample\.test {2}since 20.*, by id\.test, signature good\n$/,
    );
    expect(await run('lookup', '+44 7700 900123')).toMatchObject({
      status: 1,
      output: 'nothing found\n',
    });
    expect(await json('lookup', '@bob:sample.test')).toEqual([]);
    // Whoever bound it does not write to the terminal.
    await bind(server, 'evil@sample.test', '@a\u001b[31m:sample.test');
    expect((await run('lookup', 'evil@sample.test')).output).toContain('@a?[31m:sample.test');
  });

  const database = (sql: string) => server.database.execute(sql);

  test('which invitations are kept, and to take them back', async () => {
    await invite(server, 'bob@sample.test');
    await invite(server, 'bob@sample.test', { sender: '@cyd:sample.test' });
    await invite(server, 'eve@sample.test');
    const listed = await json('invites', 'list');
    expect(listed).toHaveLength(3);
    expect(JSON.stringify(listed)).not.toContain('token');
    expect(await json('invites', 'list', 'BOB@sample.test')).toHaveLength(2);
    expect(await json('invites', 'list', '@cyd:sample.test')).toMatchObject([
      { address: 'bob@sample.test', room_id: '!tea:sample.test', sender: '@cyd:sample.test' },
    ]);
    const keys = await database(
      'select public_key from cognomen_invite_keys where valid_until is null',
    );
    expect(await run('invites', 'cancel', 'bob@sample.test')).toMatchObject({
      status: 0,
      output: '2 cancelled\n',
    });
    expect(await run('invites', 'cancel', 'bob@sample.test')).toMatchObject({ status: 1 });
    expect(await json('invites', 'list')).toMatchObject([{ address: 'eve@sample.test' }]);
    // Delivered ones stand before it, more than are looked at together.
    for (let index = 0; index < 105; index++) {
      await database(`insert into invite_tokens (medium, address, room_id, sender, token, received_ts, sent_ts)
        values ('email', 'far@sample.test', '!a:b', '@a:b', 'delivered${index}', 1, 2)`);
    }
    await invite(server, 'far@sample.test');
    expect(await run('invites', 'cancel', 'far@sample.test')).toMatchObject({
      output: '1 cancelled\n',
    });
    expect(keys).toHaveLength(3);
    expect(
      await database('select public_key from cognomen_invite_keys where valid_until is null'),
    ).toHaveLength(1);
  });

  test('what became of one invitation, and to give it up', async () => {
    await invite(server, 'bob@sample.test');
    await invite(server, 'bob@sample.test', { sender: '@cyd:sample.test' });
    const [first, second] = await json('invites', 'list');
    const shown = await json('invites', 'show', String(first.id));
    expect(shown).toMatchObject({ id: first.id, address: 'bob@sample.test' });
    // Here they are kept for ever.
    expect(shown).not.toHaveProperty('expires_at');
    const { config } = server;
    const invites = { ...config.email.invites, expiry: 1000 };
    const storage = await openForCommand(config.db, pino({ level: 'silent' }));
    const expiring = { ...config, email: { ...config.email, invites } };
    const input = { argument: String(first.id), options: {}, flags: new Set<string>() };
    expect(await showInvite.run(input, operationContext(expiring, { storage }))).toMatchObject({
      expires_at: shown.received_at + 1000,
    });
    await storage.close();
    expect(JSON.stringify(shown)).not.toContain('token');
    expect(await run('invites', 'expire', String(first.id))).toMatchObject({
      status: 0,
      output: 'given up\n',
    });
    for (const action of ['show', 'expire']) {
      expect(await run('invites', action, String(first.id))).toMatchObject({ status: 1 });
      expect(await run('invites', action, 'many')).toMatchObject({ status: 2 });
    }
    const grace = await database(
      'select valid_until from cognomen_invite_keys where valid_until is not null',
    );
    expect(grace).toHaveLength(1);
    await bind(server, 'bob@sample.test', '@bob:nowhere.sample.test');
    expect(await json('invites', 'show', String(second.id))).toMatchObject({
      bound_to: '@bob:nowhere.sample.test',
      notice: expect.any(Number),
    });
    // It is on its way: outbox drop gives that up.
    expect(await run('invites', 'expire', String(second.id))).toMatchObject({ status: 1 });
  });

  test('what homeservers are owed, to try one now, and to give it up', async () => {
    await bind(server, 'ada@sample.test', '@ada:nowhere.sample.test');
    await expect.poll(async () => (await json('outbox', 'list'))[0]?.attempts).toBeGreaterThan(0);
    const [owed] = await json('outbox', 'list', 'NOWHERE.sample.test');
    expect(owed).toMatchObject({ homeserver: 'nowhere.sample.test', address: 'ada@sample.test' });
    // By its own back-off it would be tried later.
    expect(owed.next_attempt_at).toBeGreaterThan(server.clock.now());
    expect(await run('outbox', 'retry', 'nowhere.sample.test')).toMatchObject({ status: 0 });
    server.clock.advance(Date.now() - server.clock.now());
    await expect
      .poll(async () => (await json('outbox', 'list'))[0]?.attempts)
      .toBeGreaterThan(owed.attempts);
    expect(await run('outbox', 'retry', 'other.test')).toMatchObject({ status: 1 });
    expect(await run('outbox', 'drop', String(owed.id))).toMatchObject({ status: 0 });
    expect(await run('outbox', 'drop', String(owed.id))).toMatchObject({ status: 1 });
    expect(await json('outbox', 'list')).toEqual([]);
    expect((await run('outbox', 'list')).output).toBe('nothing is owed\n');
  });

  test('which sessions and accounts there are, and to end them', async () => {
    const v1 = `${server.url}/_matrix/identity/api/v1/validate/email`;
    const asked = { client_secret: 'secret', email: 'Ada@sample.test', send_attempt: 1 };
    const { sid } = (await postJson(`${v1}/requestToken`, asked)).json;
    const [session] = await json('sessions', 'list', 'ada@sample.test');
    expect(session).toMatchObject({ id: Number(sid), validated: false, sent_attempt: 1, binds: 0 });
    expect(await json('sessions', 'list', 'bob@sample.test')).toEqual([]);
    const { parsed } = await server.smtp.nextMail();
    const token = /token=([^&\s]+)/.exec(parsed.text ?? '')?.[1];
    expect(JSON.stringify(session)).not.toContain(token);
    expect(await run('sessions', 'delete', sid)).toMatchObject({ status: 0, output: 'deleted\n' });
    expect(await run('sessions', 'delete', sid)).toMatchObject({ status: 1 });
    const submitted = await postJson(`${v1}/submitToken`, { sid, token, client_secret: 'secret' });
    expect(submitted.json.success).not.toBe(true);

    const access = await server.token('@ada:sample.test');
    await server.token('@ada:sample.test');
    await server.token('@bob:sample.test');
    expect(await json('accounts', 'list', '--after', '@ada:sample.test')).toMatchObject([
      { user_id: '@bob:sample.test', tokens: 1 },
    ]);
    expect(await run('accounts', 'logout', '@ada:sample.test')).toMatchObject({
      status: 0,
      output: '2 access tokens ended\n',
    });
    expect(await run('accounts', 'logout', '@ada:sample.test')).toMatchObject({ status: 1 });
    const account = await fetch(`${server.url}/_matrix/identity/v2/account`, {
      headers: { authorization: `Bearer ${access}` },
    });
    expect(account.status).toBe(401);
  });

  test.each([
    [['lookup'], 'lookup wants ADDRESS|MXID:\n  cognomen lookup ADDRESS|MXID'],
    [['lookup', 'nonsense'], 'is no email address'],
    [['lookup', 'a@b.test', 'c@d.test'], 'lookup takes no further argument'],
    [['stats', 'all'], 'stats takes no further argument'],
    [['stats', '--jsonn'], /^cognomen: Unknown option '--jsonn'\nTry cognomen --help\.\n$/],
    [['lookup', 'a@b.test', '--limit', 'x'], 'limit must be a whole number'],
    [['trace', '@ada:sample.test'], 'is a user id, not an address'],
    [['invites', 'show', 'eve@sample.test'], '"eve@sample.test" is no id'],
    [['invites', 'resend'], 'invites resend wants ID|ADDRESS'],
    [
      ['invites', 'cancel', '1'],
      /is no email address, and no phone number .*\nTry cognomen invites --help/,
    ],
    [['invites'], 'invites wants one of'],
    [['invites', 'dance'], 'invites wants one of'],
    [['invites', 'cancel', '@ada:sample.test'], 'is a user id, not an address'],
    [['sessions', 'list', '@ada:sample.test'], 'is a user id, not an address'],
    [['sessions', 'delete', 'x'], 'is no id'],
    [['accounts', 'list', '--limit', '100000'], 'limit must be a whole number'],
    [['accounts', 'logout', 'ada'], 'is no Matrix user id'],
    [['outbox', 'retry', 'a.test', '--limit', '5'], 'outbox retry takes no --limit'],
  ])('%j is not understood', async (args, reason) => {
    expect(await run(...args)).toMatchObject({
      status: 2,
      output:
        typeof reason === 'string'
          ? expect.stringContaining(reason)
          : expect.stringMatching(reason),
    });
  });
});
