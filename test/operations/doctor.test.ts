import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import pino from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { operationContext } from '../../src/app/operating.ts';
import { type Diagnosis, doctor } from '../../src/operations/doctor.ts';
import { createClock } from '../../src/platform/clock.ts';
import { openForCommand } from '../../src/storage/for-command.ts';
import { runCommand } from '../support/commands.ts';
import { ENGINES, temporaryFolder } from '../support/databases.ts';
import { freePort } from '../support/free-port.ts';
import { get } from '../support/http.ts';
import { bind } from '../support/invitations.ts';
import { newSigningKey } from '../support/replicating-servers.ts';
import { renderConfig, startTestServer, type TestServer } from '../support/server.ts';

const DAY = 24 * 60 * 60 * 1000;

describe.each(ENGINES)('doctor, beside a server on %s,', (engine) => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startTestServer({ engine, now: Date.now() });
  });
  afterAll(() => server.stop());
  beforeEach(() => server.clock.advance(Date.now() - server.clock.now()));

  const run = (...args: string[]) =>
    runCommand('doctor', ...args, '-c', server.config.files[0] ?? '');
  async function examine(...args: string[]): Promise<Diagnosis & { status: number }> {
    const { output, status } = await run('--json', ...args);
    return { ...JSON.parse(output), status };
  }
  const about = ({ findings }: Diagnosis, wanted: string): Diagnosis['findings'] =>
    findings.filter((finding) => finding.about.startsWith(wanted));

  test('says of each thing how it is, and of each that is not well what to do', async () => {
    const found = await examine();
    expect(found.findings.filter(({ state }) => state === 'problem')).toEqual([]);
    expect(found).toMatchObject({ state: 'warning', status: 0 });
    for (const part of [
      'database',
      'server',
      'signing key',
      '[general] templates.path',
      'outbox',
      'pepper',
      'configuration',
      '[sms] sms.provider',
      '[email] email.smtphost',
    ]) {
      expect(about(found, part)[0]?.state, part).toBe('ok');
    }
    expect(about(found, 'clock').map(({ state }) => state)).toEqual(
      engine === 'postgres' ? ['ok'] : [],
    );
    expect(about(found, '[general] limits.enforce')).toMatchObject([
      { state: 'warning', remedy: expect.stringContaining('set it to true') },
    ]);
    const { output } = await run();
    expect(output).toMatch(/^ok {7}database: takes writes/);
    expect(output).toMatch(/\n {9}→ /);
    expect(output).toMatch(/\nIt works; look at the warnings\n$/);
  });

  test('finds what homeservers have been owed for long', async () => {
    await bind(server, 'ada@sample.test', '@ada:nowhere.sample.test');
    expect(about(await examine('--offline'), 'outbox')).toMatchObject([{ state: 'ok' }]);
    await server.database.execute(
      `update cognomen_notices set created_ts = ${Date.now() - 2 * DAY}`,
    );
    expect(about(await examine('--offline'), 'outbox')).toMatchObject([
      {
        state: 'warning',
        finding: expect.stringContaining('nowhere.sample.test'),
        remedy: expect.stringContaining('outbox list'),
      },
    ]);
  });

  test('finds peers that cannot work, and why', async () => {
    const { publicKey } = newSigningKey();
    await runCommand(
      'peers',
      'add',
      'p.test',
      '--key',
      publicKey,
      '-c',
      server.config.files[0] ?? '',
    );
    await server.database.execute("insert into peers (name, active) values ('bare.test', 1)");
    const found = await examine('--offline');
    expect(found.status).toBe(1);
    expect(about(found, 'peer p.test')).toMatchObject([
      { state: 'problem', finding: expect.stringContaining('this server has no certificate') },
    ]);
    expect(about(found, 'peer bare.test')).toContainEqual(
      expect.objectContaining({ finding: 'it has no key, so it takes no part' }),
    );
    for (const table of ['peer_pubkeys', 'peers']) {
      await server.database.execute(`delete from ${table}`);
    }
  });

  test('says when nobody needs version 1 or tokens in the query any more', async () => {
    const token = await server.token('@ada:sample.test');
    const root = `${server.url}/_matrix/identity`;
    const old = async () => {
      const found = await examine('--offline');
      return [
        ...about(found, '[general] enable_v1_access'),
        ...about(found, '[http] access_token.in_query'),
      ];
    };
    // Neither who looks whether it is there, nor a link of a mail, nor the keys that rooms refer to.
    await get(`${root}/api/v1`);
    await get(`${root}/api/v1/validate/email/submitToken`, {
      sid: '1',
      client_secret: 'a',
      token: 'b',
    });
    await get(`${root}/api/v1/pubkey/isvalid`, { public_key: 'a' });
    await get(`${root}/v2/account`, { access_token: 'nobody’s' });
    await get(`${root}/v2/account`, {}, token);
    expect((await old()).map(({ finding }) => finding)).toEqual([
      expect.stringContaining('not needed in the 0 days since'),
      expect.stringContaining('not needed in the 0 days since'),
    ]);
    const counted = async () =>
      (await get(`${server.metricsUrl}/metrics`)).text
        .split('\n')
        .filter((line) => line.startsWith('cognomen_old_ways_total'));
    expect(await counted()).toEqual([]);
    await get(`${root}/api/v1/lookup`, { medium: 'email', address: 'a@sample.test' });
    await get(`${root}/v2/account`, { access_token: token });
    expect(await counted()).toEqual([
      'cognomen_old_ways_total{way="v1"} 1',
      'cognomen_old_ways_total{way="query_token"} 1',
    ]);
    await expect
      .poll(async () => (await old()).map(({ finding }) => finding))
      .toEqual([
        expect.stringContaining('needed last on'),
        expect.stringContaining('needed last on'),
      ]);
    // The database hears of it once a minute.
    const noted = async () =>
      (await server.database.execute(
        "select value from cognomen_state where key = 'old_way_used v1'",
      )) as { value: string }[];
    const [{ value: first } = { value: '' }] = await noted();
    server.clock.advance(59_000);
    await get(`${root}/api/v1/lookup`, { medium: 'email', address: 'a@sample.test' });
    expect(await noted()).toEqual([{ value: first }]);
    server.clock.advance(1000);
    await get(`${root}/api/v1/lookup`, { medium: 'email', address: 'a@sample.test' });
    await expect.poll(noted).toEqual([{ value: String(Number(first) + 60_000) }]);

    await server.database.execute(
      `update cognomen_state set value = '${Date.now() - 15 * DAY}' where key like 'old_way%'`,
    );
    expect(await old()).toMatchObject([
      { state: 'warning', finding: 'nobody has needed version 1 of the API for 15 days' },
      { state: 'warning', finding: expect.stringContaining('in the query string for 15 days') },
    ]);
  });

  test('finds the relay gone, unless it is told to leave it out', async () => {
    server.smtp.refuseConnections();
    const found = await examine();
    expect(found.status).toBe(1);
    expect(about(found, '[email]')).toMatchObject([{ state: 'problem' }]);
    expect(about(await examine('--offline'), '[email] email.smtphost')).toEqual([]);
  });

  test('finds a configuration on disk that the next start could not use', async () => {
    const [file = ''] = server.config.files;
    const storage = await openForCommand(server.config.db, pino({ level: 'silent' }));
    const hour = 60 * 60 * 1000;
    const late = createClock(
      () => Date.now() + hour,
      () => 0,
    );
    const context = operationContext(server.config, { storage, clock: late });
    await writeFile(file, '[general]\nlog.level = LOUD\n');
    const input = { argument: undefined, options: {}, flags: new Set(['offline']) };
    const found = await doctor.run(input, context);
    await storage.close();
    expect(about(found, 'configuration')).toMatchObject([
      { state: 'problem', finding: expect.stringContaining('log.level') },
    ]);
    // A clock that is an hour late is found where there is another to compare it with.
    expect(about(found, 'clock').map(({ state }) => state)).toEqual(
      engine === 'postgres' ? ['problem'] : [],
    );
  });
});

test('doctor tells of all else where the database cannot be opened', async () => {
  const folder = await temporaryFolder();
  const file = path.join(folder.path, 'sydent.conf');
  const closed = await freePort();
  await writeFile(
    file,
    renderConfig({
      general: 'server.name = id.test\npidfile.path =',
      db: `db.file = ${path.join(folder.path, 'none.db')}`,
      http: `clientapi.http.bind_address = 127.0.0.1\nclientapi.http.port = ${closed}\ntrusted_proxies = 0.0.0.0/0\nobey_x_forwarded_for = true`,
      crypto: `ed25519.signingkey = ${newSigningKey().line}`,
    }),
  );
  const { output, status } = await runCommand('doctor', '--offline', '-c', file);
  expect(status).toBe(1);
  expect(output).toMatch(/^problem {2}database: There is no database \S+none\.db/);
  expect(output).toContain(`warning  server: none listens at 127.0.0.1 port ${closed}`);
  expect(output).toContain('problem  [http] trusted_proxies: ');
  expect(output).toMatch(/Something does not work\n$/);
  expect(output).not.toContain('outbox:');
  // Other operations need it.
  expect(await runCommand('stats', '-c', file)).toMatchObject({
    status: 1,
    output: expect.stringContaining('start the server once first'),
  });
  await folder.remove();
});
