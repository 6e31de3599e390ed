import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createDatabase,
  ENGINES,
  type TestDatabase,
  temporaryFolder,
} from '../support/databases.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
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
  afterAll(async () => {
    for (const server of running) await server.stop();
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
          ...{ medium: 'email', address: `${name}@sample.test`, mxid: `@${name}:${hs.serverName}` },
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
});
