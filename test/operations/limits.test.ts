import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../support/commands.ts';
import { ENGINES, temporaryFolder } from '../support/databases.ts';
import { postJson, request } from '../support/http.ts';
import { spawnCognomen, writeConfig } from '../support/process.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { startSmtpServer } from '../support/smtp.ts';

describe.each(ENGINES)('who meets limits, beside a server on %s,', (engine) => {
  let server: TestServer;
  let attempt = 0;

  beforeAll(async () => {
    server = await startTestServer({
      engine,
      now: Date.now(),
      sections: {
        general: 'limits.enforce = true',
        http: 'obey_x_forwarded_for = true\ntrusted_proxies = 127.0.0.1',
        limits: ['email.ratelimit_recipient', 'mail.network', 'mail.recipient_share', 'mail.domain']
          .map((name) => `${name}.burst = ${name === 'email.ratelimit_recipient' ? 2 : 100}`)
          .concat('lookup.network_v1.burst = 1')
          .join('\n'),
      },
    });
  });
  afterAll(() => server.stop());

  const run = (...args: string[]) =>
    runCommand('limits', ...args, '-c', server.config.files[0] ?? '');
  const list = async () => JSON.parse((await run('list', '--json')).output);
  async function ask(email: string): Promise<number> {
    const path = '/_matrix/identity/v2/validate/email/requestToken';
    attempt++;
    const token = await server.token(`@u${attempt}:sample.test`);
    const body = { email, client_secret: `s${attempt}`, send_attempt: 1 };
    return (await postJson(`${server.url}${path}`, body, token)).status;
  }

  test('is told without anybody’s address, and whoever an operator wants to gets through', async () => {
    const [ada, bob] = ['ada.lovelace@sample.test', 'bob@sample.test'];
    for (const email of [ada, ada, bob, bob]) expect(await ask(email)).toBe(200);
    for (const email of [ada, ada, bob]) {
      server.clock.advance(1);
      expect(await ask(email)).toBe(429);
    }
    await expect.poll(list).toMatchObject([
      { limit: 'email.ratelimit_recipient', key: 'b…@sample.test', times: 1 },
      { limit: 'email.ratelimit_recipient', key: 'a…@sample.test', times: 2 },
    ]);
    expect((await run('list')).output).toMatch(
      /^email\.ratelimit_recipient {2}b…@sample\.test {2}1 times, the last 20/,
    );
    const kept = await server.database.execute(
      "select value from cognomen_state where key = 'limit_hits'",
    );
    expect(JSON.stringify(kept)).not.toContain('lovelace');

    expect(await run('reset', ada)).toMatchObject({ status: 0 });
    await expect
      .poll(async () => (await list()).map(({ key }: { key: string }) => key))
      .toEqual(['b…@sample.test']);
    expect(await ask(ada)).toBe(200);
    expect(await ask(ada)).toBe(200);
    expect(await ask(ada)).toBe(429);
    expect(await ask(bob)).toBe(429);
    // By the limit: everybody.
    expect(await run('reset', 'email.ratelimit_recipient')).toMatchObject({ status: 0 });
    await expect.poll(list).toEqual([]);
    expect(await ask(bob)).toBe(200);
    expect(await run('reset', ' ')).toMatchObject({ status: 2 });
    expect(await run('reset')).toMatchObject({ status: 2 });
  });

  test('knows client networks by their names in the log, and lets one through by an address in it', async () => {
    const from = async (address: string) => {
      const { status } = await request(`${server.url}/_matrix/identity/api/v1/bulk_lookup`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-forwarded-for': address },
        body: JSON.stringify({ threepids: [['email', 'ada@sample.test']] }),
      });
      return status;
    };
    const networks = ['2001:db8:1:2::7', '2001:db8:9:2::7', '198.51.100.7'];
    for (const address of networks) {
      expect([await from(address), await from(address)]).toEqual([200, 429]);
    }
    await expect.poll(list).toHaveLength(3);
    expect(JSON.stringify(await list())).not.toMatch(/2001:|198\.51/);
    await run('reset', '2001:db8:1:2:ffff::1');
    await expect.poll(list).toHaveLength(2);
    expect(await from('2001:db8:1:2::8')).toBe(200);
    expect(await from('2001:db8:9:2::8')).toBe(429);
    expect(await from('198.51.100.7')).toBe(429);
    for (const { key } of await list()) await run('reset', key);
    await expect.poll(list).toEqual([]);
    expect(await from('198.51.100.7')).toBe(200);
  });
});

test('who meets limits of several workers on SQLite gets through all of them', async () => {
  const folder = await temporaryFolder();
  const smtp = await startSmtpServer();
  const { file, url } = await writeConfig(folder.path, {
    general: 'workers = 2\nlimits.enforce = true',
    db: `db.file = ${path.join(folder.path, 'sydent.db')}`,
    email: `email.smtphost = 127.0.0.1\nemail.smtpport = ${smtp.port}\nemail.ratelimit_sender.burst = 4`,
  });
  const server = spawnCognomen([], { cwd: folder.path });
  await server.untilLogged('Ready');
  let secrets = 0;
  const ask = async () => {
    const path = '/_matrix/identity/api/v1/validate/email/requestToken';
    const client_secret = `s${secrets++}`;
    return (
      await postJson(url + path, {
        email: `a${secrets}@sample.test`,
        client_secret,
        send_attempt: 1,
      })
    ).status;
  };
  const asks = async (count: number) => {
    const statuses: number[] = [];
    for (let time = 0; time < count; time++) statuses.push(await ask());
    return statuses.filter((status) => status === 200).length;
  };
  expect(await asks(8)).toBe(4);
  await runCommand('limits', 'reset', 'email.ratelimit_sender', '-c', file);
  await expect
    .poll(async () => JSON.parse((await runCommand('limits', 'list', '--json', '-c', file)).output))
    .toEqual([]);
  await expect.poll(() => asks(1)).toBe(1);
  expect(await asks(8)).toBeGreaterThanOrEqual(2);
  await server.stop();
  await smtp.close();
  await folder.remove();
});
