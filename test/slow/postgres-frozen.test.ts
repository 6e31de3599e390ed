import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type DatabaseLoad, startDatabaseLoad } from '../support/database-load.ts';
import { temporaryFolder } from '../support/databases.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';

const CONNECT_TIMEOUT = 2;
const STATEMENT_TIMEOUT = 2;
/** Milliseconds. */
const FROZEN = 15_000;
/** Until a statement is given up, and then no connection is to be had. */
const SILENCE = (STATEMENT_TIMEOUT + 2 * CONNECT_TIMEOUT) * 1000;
/** Until those who were before have found no connection. */
const TURN = CONNECT_TIMEOUT * 1000;
/** For a machine that is busy. */
const SLACK = 1000;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let postgres: PostgresServer;
let server: ServerProcess;
let load: DatabaseLoad;
beforeEach(async () => {
  folder = await temporaryFolder();
  postgres = await startPostgres({ durable: true });
  const config = await writeConfig(folder.path, {
    db: `db.url = ${postgres.url.replaceAll('%', '%%')}
db.connect_timeout = ${CONNECT_TIMEOUT}
db.statement_timeout = ${STATEMENT_TIMEOUT}`,
  });
  server = spawnCognomen([], { cwd: folder.path });
  await server.untilLogged('Ready');
  load = startDatabaseLoad(config);
});
afterEach(async () => {
  await load.end();
  await server.stop();
  await postgres.stop();
  await folder.remove();
});

test('PostgreSQL stands still for a while: nobody waits without end, nothing is lost', async () => {
  await load.untilBound(60);
  const before = load.answers.length;
  // How long it stands still is what is tested, and nothing that could be waited for.
  await postgres.freeze(() => wait(FROZEN));
  const thawed = performance.now();
  await load.untilBound(load.acknowledged.size + 60);
  await server.untilLogged('The database can be used again');
  await load.end();

  const meanwhile = load.answers.slice(before);
  const refused = meanwhile.filter(({ status }) => status !== 200);
  const longest = (kind: string) =>
    Math.round(Math.max(...meanwhile.filter((each) => each.kind === kind).map(({ took }) => took)));
  const wellAfter = Math.round(Math.max(...refused.map(({ at }) => at)) - thawed);
  expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([503]));
  for (const { errcode, retryAfter } of refused) {
    expect(errcode).toBe('M_UNKNOWN');
    expect(retryAfter).toBeGreaterThan(0);
  }
  expect(longest('lookup')).toBeLessThan(SILENCE + SLACK);
  expect(longest('bind')).toBeLessThan(SILENCE + TURN + SLACK);
  expect(wellAfter).toBeLessThan(SLACK);
  await load.requireNothingLost(postgres.url);
  const lines = server.log().split('\n');
  const counted = (text: string) => lines.filter((line) => line.includes(text)).length;
  expect(counted('The database cannot be used:')).toBe(1);
  expect(counted('The database can be used again')).toBe(1);
  expect(counted('"level":"error"')).toBe(1);
});
