import { readFile } from 'node:fs/promises';
import Database from 'better-sqlite3';
import pg from 'pg';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { operationContext } from '../../src/app/operating.ts';
import { lookup as lookupOperation } from '../../src/operations/lookup.ts';
import type { Operation } from '../../src/operations/operation.ts';
import { erasePerson } from '../../src/operations/person.ts';
import { runRecorded } from '../../src/operations/recorded.ts';
import { openForCommand } from '../../src/storage/for-command.ts';
import { runCommand } from '../support/commands.ts';
import { ENGINES } from '../support/databases.ts';
import { postJson } from '../support/http.ts';
import { bind, invite } from '../support/invitations.ts';
import {
  bind as bindAt,
  introduce,
  lookup,
  onDatabase,
  type ReplicatingServer,
  startReplicatingServer,
} from '../support/replicating-servers.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const MXID = '@ada:nowhere.sample.test';
/** What tells of her, in spellings that no key, hash or signature in base64 can contain by chance. */
const TELLS_OF_HER = /@ada|ada@|ada\.two/i;
const TABLES = [
  ...['threepid_validation_sessions', 'threepid_token_auths', 'local_threepid_associations'],
  ...['global_threepid_associations', 'invite_tokens', 'accounts', 'tokens', 'accepted_terms_urls'],
  ...[
    'cognomen_sessions',
    'cognomen_session_codes',
    'cognomen_lookup_keys',
    'cognomen_rotated_keys',
  ],
  ...['cognomen_tokens', 'cognomen_state', 'cognomen_invite_keys', 'cognomen_notices'],
  ...['cognomen_message_events', 'cognomen_audit', 'cognomen_invite_mails'],
  ...['cognomen_notice_invites', 'cognomen_erased', 'cognomen_received_deletions'],
  ...['cognomen_invitation_refusals', 'cognomen_owner_notices', 'cognomen_owner_notice_mails'],
  'cognomen_owner_sessions',
  'cognomen_history',
] as const;

type Json = Record<string, unknown>;

/** All that the rows of the database say. */
async function rowsOf({ database }: TestServer): Promise<string> {
  const all = [];
  for (const table of TABLES) all.push(await database.execute(`select * from ${table}`));
  return JSON.stringify(all);
}

/** Everything that stands in the files of the database, free pages and all. */
async function filesOf({ config }: TestServer): Promise<string> {
  if (config.db.engine === 'sqlite') {
    const { file } = config.db;
    const read = (name: string) => readFile(name, 'latin1').catch(() => '');
    return (await read(file)) + (await read(`${file}-wal`)) + (await read(`${file}-journal`));
  }
  const { host, port, user, password, database } = config.db;
  const client = new pg.Client({ host, port, user, database, ...(password && { password }) });
  await client.connect();
  try {
    let all = '';
    for (const table of TABLES) await client.query(`vacuum full ${table}`);
    await client.query('checkpoint');
    for (const table of TABLES) {
      const { rows } = await client.query(
        `select encode(pg_read_binary_file(pg_relation_filepath(oid)), 'escape') as content
         from pg_class where oid = '${table}'::regclass
           or oid in (select indexrelid from pg_index where indrelid = '${table}'::regclass)`,
      );
      all += rows.map(({ content }) => content).join('');
    }
    return all;
  } finally {
    await client.end();
  }
}

/** PostgreSQL keeps what is deleted until the transactions that were under way then have ended: others have some, too. */
async function expectNothingInFiles(server: TestServer, name: RegExp): Promise<void> {
  const told = async () => {
    const files = await filesOf(server);
    const at = files.search(name);
    return at === -1 ? 'nothing' : files.slice(Math.max(0, at - 100), at + 100);
  };
  await expect.poll(told).toBe('nothing');
}

describe.each(ENGINES)('what is kept of a person, beside a server on %s,', (engine) => {
  let server: TestServer;

  beforeEach(async () => {
    server = await startTestServer({ engine, now: Date.now() });
    await bind(server, 'other@sample.test', '@other:sample.test');
  });
  afterEach(() => server.stop());

  const run = (...args: string[]) => runCommand(...args, '-c', server.config.files[0] ?? '');
  async function json(...args: string[]) {
    const { output } = await run(...args, '--json');
    return JSON.parse(output);
  }

  /** The server remembers messages a little later than they are sent. */
  const remembered = (count: number) =>
    expect
      .poll(() =>
        server.database.execute("select id from cognomen_message_events where event = 'sent'"),
      )
      .toHaveLength(count);

  const setState = (key: string, value: object) =>
    server.database.execute('insert into cognomen_state (key, value) values (?, ?)', [
      key,
      JSON.stringify(value),
    ]);
  const state = async (key: string): Promise<Json[]> => {
    const rows = await server.database.execute('select value from cognomen_state where key = ?', [
      key,
    ]);
    return JSON.parse((rows as { value: string }[])[0]?.value ?? '');
  };

  /** Everything that a person can leave. */
  async function live(): Promise<void> {
    const v1 = `${server.url}/_matrix/identity/api/v1/validate/email`;
    const asked = { client_secret: 'secret', email: 'Ada@Sample.test', send_attempt: 1 };
    await postJson(`${v1}/requestToken`, asked);
    await server.smtp.nextMail();
    await invite(server, 'Ada@sample.test', { sender: '@other:sample.test' });
    await invite(server, 'friend@sample.test', { sender: MXID });
    await server.token(MXID);
    await server.database.execute('insert into accepted_terms_urls (user_id, url) values (?, ?)', [
      MXID,
      'https://terms.test',
    ]);
    await bind(server, 'ADA@sample.test', MXID);
    await bind(server, 'ada.two@sample.test', MXID);
    const hits = [`claimed ${MXID}`, 'a…@sample.test @other:sample.test', '@other:sample.test'];
    await setState(
      'limit_hits',
      hits.map((key) => ({ limit: 'mail.total', key, times: 1, last: 1 })),
    );
    const resets = [MXID, ' ADA@Sample.test', '@other:sample.test'];
    await setState(
      'limit_resets',
      resets.map((key, index) => ({ id: index + 1, key })),
    );
    await server.database.execute(`insert into cognomen_received_deletions
      (origin_server, medium, address, origin_id, received_ts) values ('p.test', 'email', 'ada@sample.test', 1, 1)`);
    await remembered(3);
  }

  test('is given to them, and no secret with it', async () => {
    await live();
    const given = await json('export', MXID);
    expect(given).toMatchObject({ user: MXID, log_lines: [] });
    expect(given.addresses.sort()).toEqual(['ada.two@sample.test', 'ada@sample.test']);
    expect(given.kept).toMatchObject({
      sessions: [{ address: 'Ada@Sample.test', validated: false }],
      invitations: [{ sender: MXID }, { address: 'ada@sample.test' }],
      messages: expect.arrayContaining([expect.objectContaining({ event: 'asked' })]),
      received_deletions: [{ origin_server: 'p.test' }],
    });
    expect(given.kept.notices).toHaveLength(2);
    expect(given.kept.bindings).toHaveLength(2);
    expect(given.kept.replication_log).toHaveLength(2);
    expect(given.kept.account).toContainEqual({
      user_id: MXID,
      accepted_terms: 'https://terms.test',
    });
    expect(JSON.stringify(given)).not.toMatch(/token"|secret/);
    const mails = given.kept.invitations.map(({ mail }: Json) => JSON.parse(String(mail)).to);
    expect(mails).toEqual(['friend@sample.test', 'Ada@sample.test']);
    const sealed = await server.database.execute('select sealed from cognomen_invite_mails');
    expect(sealed).toHaveLength(2);
    for (const row of sealed as { sealed: string }[]) {
      expect(JSON.stringify(given)).not.toContain(row.sealed);
    }
    const [{ token }] = (await server.database.execute('select token from tokens')) as [Json];
    expect(JSON.stringify(given)).not.toContain(token);

    const one = await json('export', 'ada@sample.test');
    expect(one.kept.bindings).toHaveLength(1);
    expect(one.kept.account).toEqual([]);
    expect(one.remains.join()).toContain(`what else is kept of ${MXID}`);
    expect(await run('export', 'nobody@sample.test')).toMatchObject({ status: 1 });
    expect(await run('export', 'nonsense')).toMatchObject({ status: 2 });
  });

  test('is erased when that is said twice, in rows and in files, and nothing of others', async () => {
    await live();
    const dry = await json('erase', MXID);
    expect(dry).toMatchObject({ erased: false, user: MXID, kept: { sessions: 1, bindings: 2 } });
    // What homeservers do not take is remembered meanwhile, and so is each look.
    const some = expect.any(Number);
    const kept = { ...dry.kept, messages: some, operators_trail: some };
    expect((await json('erase', MXID)).kept).toEqual(kept);
    expect((await run('erase', MXID)).output).toContain('To be erased, with --yes: @ada');

    const done = await json('erase', MXID, '--yes');
    expect(done).toMatchObject({ erased: true, kept, waiting_for: [] });
    expect(done.traces).toBe(engine === 'sqlite' ? 0 : undefined);
    const rows = await rowsOf(server);
    expect(rows).not.toMatch(TELLS_OF_HER);
    for (const key of ['limit_hits', 'limit_resets']) {
      expect((await state(key)).map((one) => one['key'])).toEqual(['@other:sample.test']);
    }
    expect(await filesOf(server)).toContain('other@sample.test');
    await expectNothingInFiles(server, TELLS_OF_HER);
    expect(await lookup(server, 'ada@sample.test')).toEqual({});
    expect(await lookup(server, 'other@sample.test')).toMatchObject({ mxid: '@other:sample.test' });
    expect(await run('erase', MXID, '--yes')).toMatchObject({ status: 1 });
    // Who looks again names nobody in the trail, and finds there what was done.
    expect((await run('lookup', 'ada@sample.test')).status).toBe(1);
    for (const who of [MXID, 'ADA@sample.test']) {
      const trail: Json[] = await json('audit', 'list', who);
      expect(trail.map(({ about }) => about)).toEqual(
        trail.map(() => expect.stringMatching(/^erased:[\w-]{22}$/)),
      );
      expect(trail.length).toBeGreaterThan(1);
    }
    expect(await rowsOf(server)).not.toMatch(TELLS_OF_HER);
    expect(await run('db', 'verify')).toMatchObject({ status: 0 });

    // Who comes back is somebody new.
    await bind(server, 'ada@sample.test', MXID);
    expect(await lookup(server, 'ada@sample.test')).toMatchObject({ mxid: MXID });
  });

  test('is erased in the end, however often that is broken off', async () => {
    await live();
    const storage = await openForCommand(server.config.db, pino({ level: 'silent' }));
    try {
      const context = operationContext(server.config, { storage });
      let tries = 0;
      for (let isDone = false; !isDone; tries++) {
        let left = tries;
        const logTransaction: typeof storage.logTransaction = (work, key) => {
          if (left-- === 0) throw new Error('Broken off');
          return storage.logTransaction(work, key);
        };
        const input = { argument: MXID, options: {}, flags: new Set(['yes']) };
        isDone = await erasePerson
          .run(input, { ...context, storage: { ...storage, logTransaction } })
          .then(
            () => true,
            (error) => !/Broken off/.test(String(error)) && Promise.reject(error),
          );
      }
      expect(tries).toBeGreaterThan(10);
    } finally {
      await storage.close();
    }
    const rows = await rowsOf(server);
    expect(rows).not.toMatch(TELLS_OF_HER);
  });

  test('is erased from the trail of who looks at them meanwhile', async () => {
    await live();
    const storage = await openForCommand(server.config.db, pino({ level: 'silent' }));
    try {
      const context = operationContext(server.config, { storage });
      const operator = { who: 'user eve', role: 'viewer', via: 'command', origin: 'here' } as const;
      let looks = 0;
      const logTransaction: typeof storage.logTransaction = async (work, key) => {
        for (const argument of [MXID, 'ADA@sample.test']) {
          const input = { argument, options: {}, flags: new Set<string>() };
          await runRecorded(lookupOperation as Operation, input, context, operator);
          looks++;
        }
        return storage.logTransaction(work, key);
      };
      const input = { argument: MXID, options: {}, flags: new Set(['yes']) };
      await erasePerson.run(input, { ...context, storage: { ...storage, logTransaction } });
      expect(looks).toBeGreaterThan(10);
    } finally {
      await storage.close();
    }
    expect(await rowsOf(server)).not.toMatch(TELLS_OF_HER);
  });

  test('of an address alone is erased without its user', async () => {
    await live();
    const done = await json('erase', 'ADA@sample.test', '--yes');
    expect(done).toMatchObject({ erased: true, addresses: ['ada@sample.test'] });
    expect(done.remains.join()).toContain(MXID);
    const rows = await rowsOf(server);
    expect(rows.toLowerCase()).not.toContain('ada@sample.test');
    expect(rows).toContain('ada.two@sample.test');
    expect(await json('accounts', 'list')).toMatchObject([{ user_id: MXID }]);
    await expectNothingInFiles(server, /ada@sample\.test/i);
  });

  test('goes, but not the address, where another user has that by now', async () => {
    await bind(server, 'ada@sample.test', MXID);
    await server.database.execute(`insert into global_threepid_associations
      (medium, address, mxid, ts, "notBefore", "notAfter", "originServer", "originId", "sgAssoc")
      values ('email', 'ada@sample.test', '@new:sample.test', ${Date.now() + 60_000}, 1, 9000000000000, 'peer.test', 1, '{}')`);
    await server.database.execute(`insert into cognomen_lookup_keys (global_id, spelling, lookup_hash)
      select id, address, 'hash' from global_threepid_associations where "originServer" = 'peer.test'`);
    await invite(server, 'eve@sample.test', { sender: MXID });
    await remembered(1);
    expect(await json('erase', MXID, '--yes')).toMatchObject({ erased: true });
    const rows = await rowsOf(server);
    expect(rows).not.toContain(MXID);
    server.clock.advance(120_000);
    expect(await lookup(server, 'ada@sample.test')).toMatchObject({ mxid: '@new:sample.test' });
  });

  test.runIf(engine === 'sqlite')('is gone once nobody reads an older state', async () => {
    await bind(server, 'ada@sample.test', MXID);
    const { db } = server.config;
    const reader = new Database(db.engine === 'sqlite' ? db.file : '');
    reader.exec('begin; select * from accounts');
    reader.prepare('select * from accounts').all();
    expect(await run('erase', MXID, '--yes')).toMatchObject({
      status: 1,
      output: expect.stringContaining('cannot be emptied. Run the command again'),
    });
    reader.close();
    await run('erase', MXID, '--yes');
    expect(await filesOf(server)).not.toContain(MXID);
  });

  test('shows no more though it was deleted before by a program that overwrites nothing', async () => {
    await server.database.execute('insert into accounts (user_id, created_ts) values (?, 1)', [
      '@ada:old.test',
    ]);
    await server.database.execute('delete from accounts where user_id = ?', ['@ada:old.test']);
    await run('erase', '@ada:old.test', '--yes');
    await expectNothingInFiles(server, /@ada:old\.test/);
  });
});

describe.each(ENGINES)('two servers on %s', (engine) => {
  let ca: TestCa;
  let a: ReplicatingServer;
  let b: ReplicatingServer;
  beforeAll(async () => {
    ca = await createTestCa();
    a = await startReplicatingServer(ca, 'a.test', { engine });
    b = await startReplicatingServer(ca, 'b.test', { engine });
    for (const { clock } of [a, b]) clock.advance(Date.now() - clock.now());
  });
  afterAll(async () => {
    await a?.stop();
    await b?.stop();
    await ca.remove();
  });

  const erase = (at: ReplicatingServer, ...args: string[]) =>
    runCommand('erase', ...args, '--yes', '--json', '-c', at.config.files[0] ?? '');
  const log = async (at: ReplicatingServer) =>
    JSON.stringify(await at.database.execute('select * from local_threepid_associations'));
  const sendAgain = (at: ReplicatingServer) =>
    at.database.execute('update peers set "lastSentVersion" = null');

  test('pass on a deletion before it is removed, and nobody brings back what was erased', async () => {
    await bindAt(a, 'ada@sample.test', '@ada:a.test');
    await bindAt(b, 'bob@sample.test', '@bob:b.test');
    await introduce(b, a);
    // a knows b, and cannot reach it yet.
    await introduce(a, { ...b, replicationUrl: 'https://127.0.0.1:9' });
    await expect.poll(() => lookup(a, 'bob@sample.test')).toMatchObject({ mxid: '@bob:b.test' });
    await introduce(a, b);
    await expect.poll(() => lookup(b, 'ada@sample.test')).toMatchObject({ mxid: '@ada:a.test' });
    await introduce(a, { ...b, replicationUrl: 'https://127.0.0.1:9' });

    const { output } = await erase(a, '@ada:a.test');
    expect(JSON.parse(output)).toMatchObject({ erased: true, waiting_for: ['b.test'] });
    expect(await log(a)).toContain('ada@sample.test');
    await introduce(a, b);
    await expect.poll(() => lookup(b, 'ada@sample.test')).toEqual({});
    // The server removes it by itself; so does whoever erases next.
    await expect
      .poll(async () => {
        await erase(a, '@nobody:a.test');
        return log(a);
      })
      .not.toContain('ada@sample.test');

    expect(JSON.parse((await erase(a, 'bob@sample.test')).output)).toMatchObject({ erased: true });
    expect(await lookup(a, 'bob@sample.test')).toEqual({});
    expect(await lookup(b, 'bob@sample.test')).toMatchObject({ mxid: '@bob:b.test' });
    await sendAgain(b);
    await expect.poll(() => a.logs.join('')).toContain('"reasons":{"erased":1}');
    expect(await lookup(a, 'bob@sample.test')).toEqual({});
    expect(
      JSON.stringify(await a.database.execute('select * from cognomen_received_deletions')),
    ).toBe('[]');

    // What is proven anew at the peer counts.
    b.clock.advance(120_000);
    a.clock.advance(120_000);
    await bindAt(b, 'bob@sample.test', '@bob:b.test');
    await expect.poll(() => lookup(a, 'bob@sample.test')).toMatchObject({ mxid: '@bob:b.test' });
  });

  test('wait for one that is away no longer than configured', async () => {
    await bindAt(a, 'late@sample.test', '@late:a.test');
    await onDatabase(a.config.db, ({ peers }) =>
      peers.save({
        name: 'gone.test',
        keys: [b.publicKey],
        url: 'https://127.0.0.1:9',
        port: undefined,
      }),
    );
    await erase(a, '@late:a.test');
    expect(await log(a)).toContain('late@sample.test');
    a.clock.advance(31 * 24 * 60 * 60 * 1000);
    await expect.poll(() => log(a)).not.toContain('late@sample.test');
  });
});
