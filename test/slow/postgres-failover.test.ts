import { afterEach, beforeEach, expect, test } from 'vitest';
import { type DatabaseLoad, startDatabaseLoad } from '../support/database-load.ts';
import { type DatabaseProxy, startDatabaseProxy } from '../support/database-proxy.ts';
import { temporaryFolder } from '../support/databases.ts';
import { get } from '../support/http.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';

/** Milliseconds after the promotion, on a machine that is busy. */
const SOON = 2000;

const databases: PostgresServer[] = [];
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let primary: PostgresServer;
let standby: PostgresServer;
/** Where the address leads. */
let address: DatabaseProxy;
let server: ServerProcess;
let load: DatabaseLoad;
let url: string;
beforeEach(async () => {
  folder = await temporaryFolder();
  primary = await startPostgres({ durable: true });
  databases.push(primary);
  address = await startDatabaseProxy(`db.url = ${primary.url.replaceAll('%', '%%')}`);
  const config = await writeConfig(folder.path, { db: address.config });
  url = config.url;
  server = spawnCognomen([], { cwd: folder.path });
  await server.untilLogged('Ready');
  standby = await primary.addStandby();
  databases.push(standby);
  load = startDatabaseLoad(config);
  await load.untilBound(60);
});
afterEach(async () => {
  await load.end();
  await server.stop();
  await address.close();
  for (const database of databases.splice(0)) await database.stop();
  await folder.remove();
});

const refused = () => load.answers.filter(({ status }) => status !== 200);

/** All is well soon after the promotion, which was done then, and nothing is lost. */
async function requireWell(promoted: number): Promise<void> {
  await load.untilBound(load.acknowledged.size + 60);
  await server.untilLogged('The database can be used again');
  await load.end();
  expect(new Set(refused().map(({ status }) => status))).toEqual(new Set([503]));
  const wellAfter = Math.max(...refused().map(({ at }) => at)) - promoted;
  const bound = load.answers.filter(
    ({ kind, status, at }) => kind === 'bind' && status === 200 && at > promoted,
  );
  const boundAfter = Math.min(...bound.map(({ at }) => at)) - promoted;
  expect(wellAfter).toBeLessThan(SOON);
  expect(boundAfter).toBeLessThan(SOON);
  await load.requireNothingLost(standby.url);
  const lines = server.log().split('\n');
  const counted = (text: string) => lines.filter((line) => line.includes(text)).length;
  expect(counted('The database cannot be used:')).toBe(1);
  expect(counted('The database can be used again')).toBe(1);
  expect(counted('"level":"error"')).toBe(1);
}

test('the primary dies and its standby takes over: nothing that was acknowledged is lost', async () => {
  await primary.kill();
  await load.untilAnswered(({ status }) => status === 503);
  await standby.promote();
  const promoted = performance.now();
  address.leadTo(standby.url);
  await requireWell(promoted);
});

test('the address leads to the standby before that takes writes: reads go on, and all is well once it does', async () => {
  await primary.kill();
  await load.untilAnswered(({ status }) => status === 503);
  address.leadTo(standby.url);
  await load.untilAnswered(({ kind, status }) => kind === 'lookup' && status === 200);
  const from = load.answers.length;
  await load.untilAnswered(({ kind, status }) => kind === 'bind' && status === 503);
  expect((await get(`${url}/health`)).status).toBe(503);
  const meanwhile = load.answers.slice(from);
  expect(new Set(meanwhile.map(({ kind, status }) => `${kind} ${status}`))).toEqual(
    new Set(['bind 503', 'lookup 200']),
  );
  await standby.promote();
  await requireWell(performance.now());
});
