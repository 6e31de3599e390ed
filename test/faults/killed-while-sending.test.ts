import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  createDatabase,
  ENGINES,
  type TestDatabase,
  temporaryFolder,
} from '../support/databases.ts';
import { postJson } from '../support/http.ts';
import { spawnCognomen, writeConfig } from '../support/process.ts';
import { startTestServer } from '../support/server.ts';
import { startSmtpServer, type TestRelay } from '../support/smtp.ts';

const LEASE = 8000;

describe.runIf(ENGINES.includes('postgres'))('on PostgreSQL', () => {
  let database: TestDatabase;
  let relay: TestRelay;
  /** What the relay has been asked to send, and holds while it is to. */
  let held: (() => void)[];
  let isHolding: boolean;

  const onMailFrom = (_address: unknown, _session: unknown, done: () => void) => {
    if (isHolding) held.push(done);
    else done();
  };

  beforeEach(async () => {
    database = await createDatabase('postgres');
    held = [];
    isHolding = true;
    relay = await startSmtpServer({ onMailFrom });
  });
  afterEach(async () => {
    for (const letGo of held) letGo();
    await relay.close();
    await database.drop();
  });

  const ask = (url: string, email = 'ada@sample.test') =>
    postJson(`${url}/_matrix/identity/api/v1/validate/email/requestToken`, {
      email,
      client_secret: 'secret',
      send_attempt: 1,
    });
  const claimedUntil = async () => {
    const [row] = await database.execute('select sending_until as until from cognomen_sessions');
    const { until } = row as { until: string | number | null };
    return until === null ? null : Number(until);
  };
  /** A server with a relay of its own, which holds mails, too. */
  const startServer = (more: { drainLimit?: number } = {}) =>
    startTestServer({ database, smtp: { onMailFrom }, ...more });

  test('a kill while a mail is being sent holds up the next request for seconds', async () => {
    const folder = await temporaryFolder();
    const { url } = await writeConfig(folder.path, {
      db: database.config,
      email: `email.smtphost = 127.0.0.1\nemail.smtpport = ${relay.port}`,
    });
    const first = spawnCognomen([], { cwd: folder.path });
    await first.untilLogged('Ready');
    const lost = ask(url).catch(() => 'lost');
    await expect.poll(() => held.length).toBe(1);
    await first.stop('SIGKILL');
    expect(await lost).toBe('lost');

    isHolding = false;
    const second = spawnCognomen([], { cwd: folder.path });
    await second.untilLogged('Ready');
    expect((await ask(url)).status).toBe(200);
    expect(relay.mails).toHaveLength(1);
    await second.stop();
    await folder.remove();
  });

  test('a mail that takes long is sent once, by whoever has begun with it', async () => {
    const [one, other] = [await startServer(), await startServer()];
    const sending = ask(one.url);
    await expect.poll(() => held.length).toBe(1);
    for (let times = 0; times < 2; times++) {
      one.clock.advance(LEASE - 1000);
      other.clock.advance(LEASE - 1000);
      await expect.poll(claimedUntil).toBe(one.clock.now() + LEASE);
    }
    const again = ask(other.url);
    // Behind it one for another address: when that is being sent, it has been looked at.
    const another = ask(other.url, 'bob@sample.test');
    await expect.poll(() => held.length).toBe(2);
    isHolding = false;
    for (const letGo of held) letGo();
    const answers = [await sending, await again, await another];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(answers[1]?.json.sid).toBe(answers[0]?.json.sid);
    const mails = [...one.smtp.mails, ...other.smtp.mails];
    expect(mails.map(({ to }) => to[0]).sort()).toEqual(['ada@sample.test', 'bob@sample.test']);
    await one.stop();
    await other.stop();
  });

  test('a stop that cuts a request off gives the session back', async () => {
    const server = await startServer({ drainLimit: 50 });
    const asked = ask(server.url).catch(() => 'lost');
    await expect.poll(() => held.length).toBe(1);
    expect(await claimedUntil()).not.toBe(null);
    await server.app.close();
    expect(await asked).toBe('lost');
    expect(await claimedUntil()).toBe(null);
    await server.stop();
  });

  test('a claim that was made before the clock stepped back holds nobody up', async () => {
    const one = await startServer();
    one.clock.step(60 * 60 * 1000);
    const sending = ask(one.url);
    await expect.poll(() => held.length).toBe(1);
    isHolding = false;
    const other = await startServer();
    expect((await ask(other.url)).status).toBe(200);
    for (const letGo of held) letGo();
    await sending;
    await one.stop();
    await other.stop();
  });
});
