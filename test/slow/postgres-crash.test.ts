import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/databases.ts';
import { get, postJson } from '../support/http.ts';
import { startPostgres } from '../support/postgres-server.ts';
import { spawnCognomen, writeConfig } from '../support/process.ts';

const CRASHES = 3;
const BINDS_BETWEEN = 60;
const CLIENTS = 8;

test('PostgreSQL crashes and comes back under a load of binds: nothing that was acknowledged is lost', async () => {
  const folder = await temporaryFolder();
  const postgres = await startPostgres({ durable: true });
  try {
    const config = await writeConfig(folder.path, {
      db: `db.url = ${postgres.url.replaceAll('%', '%%')}`,
    });
    const server = spawnCognomen([], { cwd: folder.path });
    await server.untilLogged('Ready');
    const acknowledged = new Map<string, unknown>();
    const statuses = new Set<number>();
    let next = 0;
    let isOver = false;
    async function bind(): Promise<number> {
      const number = next++;
      const address = `user${number}@sample.test`;
      const { status, json } = await postJson(
        `${config.internalUrl}/_matrix/identity/internal/bind`,
        { address, medium: 'email', mxid: `@user${number}:sample.test` },
      );
      statuses.add(status);
      if (status === 200) acknowledged.set(address, json);
      return status;
    }
    const clients = Array.from({ length: CLIENTS }, async () => {
      while (!isOver) await bind();
    });
    const counted = (text: string) =>
      server
        .log()
        .split('\n')
        .filter((line) => line.includes(text)).length;
    const until = async (is: () => boolean) => {
      while (!is()) await new Promise((resolve) => setImmediate(resolve));
    };
    for (let crash = 0; crash < CRASHES; crash++) {
      const target = acknowledged.size + BINDS_BETWEEN;
      await until(() => acknowledged.size >= target);
      await postgres.crash(async () => {
        statuses.clear();
        // Somebody is refused, and told to come again.
        await until(() => statuses.has(503));
      });
      await until(() => statuses.has(200));
      // It is looked for each half a second: a crash before that is one outage with the last.
      await until(() => counted('The database can be used again') > crash);
    }
    isOver = true;
    await Promise.all(clients);
    expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([]);
    for (const [address, signed] of acknowledged) {
      const query = { medium: 'email', address };
      const found = await get(`${config.url}/_matrix/identity/api/v1/lookup`, query);
      expect(found.json).toEqual(signed);
    }
    expect(counted('The database cannot be used:')).toBe(CRASHES);
    expect(counted('"level":"error"')).toBe(CRASHES);
    expect(await server.stop()).toBe(0);
  } finally {
    await postgres.stop();
    await folder.remove();
  }
}, 120_000);
