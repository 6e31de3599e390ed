import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/databases.ts';
import { get, postJson } from '../support/http.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { spawnCognomen, writeConfig } from '../support/process.ts';
import { startScriptedRelay, startSmtpServer } from '../support/smtp.ts';

const KILLS = 5;
const BINDS_BETWEEN = 60;
const CLIENTS = 8;

describe.each(['sqlite', 'postgres'] as const)('killed under a load of binds, on %s', (engine) => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let postgres: PostgresServer | undefined;

  beforeAll(async () => {
    folder = await temporaryFolder();
    if (engine === 'postgres') postgres = await startPostgres({ durable: true });
  });
  afterAll(async () => {
    await postgres?.stop();
    await folder.remove();
  });

  test('the server has everything that it acknowledged', async () => {
    const config = await writeConfig(folder.path, {
      db: postgres ? `db.url = ${postgres.url.replaceAll('%', '%%')}` : '',
    });
    const acknowledged = new Map<string, unknown>();
    let next = 0;

    for (let kill = 0; kill < KILLS; kill++) {
      const server = spawnCognomen([], { cwd: folder.path });
      await server.untilLogged('Ready');
      const target = acknowledged.size + BINDS_BETWEEN;
      const client = async () => {
        for (;;) {
          const number = next++;
          const address = `user${number}@sample.test`;
          const answer = await postJson(`${config.internalUrl}/_matrix/identity/internal/bind`, {
            address,
            medium: 'email',
            mxid: `@user${number}:sample.test`,
          }).catch(() => undefined);
          if (answer === undefined) return;
          expect(answer.status).toBe(200);
          acknowledged.set(address, answer.json);
          if (acknowledged.size >= target) server.child.kill('SIGKILL');
        }
      };
      await Promise.all(Array.from({ length: CLIENTS }, client));
      expect(await server.ended).toBe('SIGKILL');
    }

    const server = spawnCognomen([], { cwd: folder.path });
    await server.untilLogged('Ready');
    expect(acknowledged.size).toBeGreaterThanOrEqual(KILLS * BINDS_BETWEEN);
    for (const [address, signed] of acknowledged) {
      const query = { medium: 'email', address };
      const found = await get(`${config.url}/_matrix/identity/api/v1/lookup`, query);
      expect(found.json).toEqual(signed);
    }
    expect(await server.stop()).toBe(0);
    // Six starts, on a machine that may be busy with other tests.
  }, 60_000);
});

test('a mail that was on its way when the server was killed goes out when it is asked for again', async () => {
  const folder = await temporaryFolder();
  let reached = () => {};
  const stuck = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const deaf = await startScriptedRelay((line) => {
    if (/^EHLO/.test(line)) return '250 here';
    if (/^DATA/.test(line)) return '354 go on';
    if (line !== '.') return '250 yes';
    reached();
    return '';
  });
  const relay = await startSmtpServer();
  const start = async (port: number) => {
    const email = `email.smtphost = 127.0.0.1\nemail.smtpport = ${port}`;
    const { url } = await writeConfig(folder.path, { email });
    const server = spawnCognomen([], { cwd: folder.path });
    await server.untilLogged('Ready');
    const ask = () =>
      postJson(`${url}/_matrix/identity/api/v1/validate/email/requestToken`, {
        email: 'ada@sample.test',
        client_secret: 'secret',
        send_attempt: 1,
      });
    return { server, ask };
  };
  const killed = await start(deaf.port);
  const unanswered = killed.ask().catch(() => undefined);
  await stuck;
  await killed.server.stop('SIGKILL');
  expect(await unanswered).toBeUndefined();

  const { server, ask } = await start(relay.port);
  expect((await ask()).status).toBe(200);
  expect(relay.mails).toHaveLength(1);
  await server.stop();
  await relay.close();
  deaf.close();
  await folder.remove();
});
