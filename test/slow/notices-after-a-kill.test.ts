import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  createDatabase,
  ENGINES,
  type TestDatabase,
  temporaryFolder,
} from '../support/databases.ts';
import { answerJson, startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { postJson } from '../support/http.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const ONBIND = '/_matrix/federation/v1/3pid/onbind';
/** By then whatever a dead process had claimed is delivered by another. */
const TAKEN_OVER = 10_000;
const START = 5000;

let ca: TestCa;
beforeAll(async () => {
  ca = await createTestCa();
});
afterAll(() => ca.remove());

describe.each(ENGINES)('processes on one database, %s,', (engine) => {
  let hs: TestHomeserver;
  let database: TestDatabase;
  const folders: Awaited<ReturnType<typeof temporaryFolder>>[] = [];
  const running: ServerProcess[] = [];

  beforeAll(async () => {
    hs = await startHomeserver({ ca });
    database = await createDatabase(engine);
  });
  afterEach(async () => {
    for (const server of running.splice(0)) await server.stop();
  });
  afterAll(async () => {
    await database.drop();
    for (const folder of folders) await folder.remove();
    await hs.close();
  });

  async function start() {
    const folder = await temporaryFolder();
    folders.push(folder);
    const { internalUrl } = await writeConfig(folder.path, {
      general: hs.reachable,
      db: database.config,
    });
    const server = spawnCognomen([], {
      cwd: folder.path,
      env: { NODE_EXTRA_CA_CERTS: ca.file },
    });
    running.push(server);
    await server.untilLogged('Ready');
    return {
      ...server,
      async bind(name: string): Promise<void> {
        const bound = await postJson(`${internalUrl}/_matrix/identity/internal/bind`, {
          medium: 'email',
          address: `${name}@sample.test`,
          mxid: `@${name}:${hs.serverName}`,
        });
        expect(bound.status).toBe(200);
      },
    };
  }

  test('deliver what one of them owed when it was killed, and each notice once', async () => {
    const first = await start();
    let asked = 0;
    hs.script(ONBIND, () => {
      asked++;
    });
    await first.bind('early');
    await expect.poll(() => asked).toBe(1);
    // A SQLite file serves one process at a time, PostgreSQL several.
    const other = engine === 'postgres' ? await start() : undefined;
    expect(await first.stop('SIGKILL')).toBe('SIGKILL');
    // Killed with a delivery under way, of which nobody knows the end.
    hs.script(ONBIND, undefined);
    const killed = performance.now();
    const second = other ?? (await start());
    expect(await hs.nextOnbind()).toMatchObject({ address: 'early@sample.test', invites: [] });
    expect(performance.now() - killed).toBeLessThan(TAKEN_OVER + (other ? 0 : START));
    expect(asked).toBe(1);

    const servers = engine === 'postgres' ? [second, await start()] : [second];
    const names = Array.from({ length: 40 }, (_, index) => `u${index}`);
    await Promise.all(
      servers.map(async (server, index) => {
        for (const name of names.filter((_, each) => each % servers.length === index)) {
          await server.bind(name);
        }
      }),
    );
    await expect
      .poll(() => database.execute('select id from cognomen_notices'), { timeout: 10_000 })
      .toEqual([]);
    const told = hs.onbinds.map(({ address }) => address).toSorted();
    expect(told).toEqual(['early', ...names].map((name) => `${name}@sample.test`).toSorted());
  });

  test('deliver the invitations that one was offering one by one when it was killed, none lost', async () => {
    const address = 'mixed@sample.test';
    const all = Array.from({ length: 6 }, (_, index) => `token${index}`);
    const first = await start();
    for (const token of all) {
      await database.execute(
        `insert into invite_tokens (medium, address, room_id, sender, token, received_ts)
         values ('email', ?, '!tea:sample.test', '@ada:sample.test', ?, 1700000000)`,
        [address, token],
      );
    }
    const taken: string[] = [];
    let alone = 0;
    let killed = false;
    hs.script(ONBIND, ({ body }, response) => {
      const tokens = JSON.parse(body).invites.map(({ token }: { token: string }) => token);
      const refused = tokens.length > 1 || (killed ? false : tokens[0] === 'token0');
      if (tokens.length === 1) alone++;
      // The fourth never gets an answer.
      if (!killed && alone > 3) return undefined;
      if (!refused) taken.push(...tokens);
      return answerJson(response, refused ? 403 : 200, { errcode: 'M_FORBIDDEN', error: 'No' });
    });
    await first.bind('mixed');
    await expect.poll(() => alone).toBeGreaterThan(3);
    const before = [...taken];
    expect(await first.stop('SIGKILL')).toBe('SIGKILL');
    killed = true;
    await start();
    await expect
      .poll(() => database.execute('select id from cognomen_notices'), { timeout: 20_000 })
      .toEqual([]);
    expect([...new Set(taken)].toSorted()).toEqual(all);
    // Twice at most what was taken just then and not noted.
    expect(taken.length).toBeLessThanOrEqual(all.length + before.length);
    expect(await database.execute('select token from invite_tokens')).toEqual([]);
  });
});
