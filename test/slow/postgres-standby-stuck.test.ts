import { expect, test } from 'vitest';
import { startDatabaseLoad } from '../support/database-load.ts';
import { startDatabaseProxy } from '../support/database-proxy.ts';
import { temporaryFolder } from '../support/databases.ts';
import { startPostgres } from '../support/postgres-server.ts';
import { spawnCognomen, writeConfig } from '../support/process.ts';

/** Ends what was begun, the last first. */
async function undo(steps: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const step of steps.toReversed()) await step();
}

test('a synchronous standby stands still, then takes over: what it did not have was not acknowledged', async () => {
  const steps: (() => Promise<unknown>)[] = [];
  try {
    const folder = await temporaryFolder();
    steps.push(folder.remove);
    const primary = await startPostgres({ durable: true });
    steps.push(primary.stop);
    const address = await startDatabaseProxy(`db.url = ${primary.url.replaceAll('%', '%%')}`);
    steps.push(address.close);
    // Both end while a commit waits for the standby.
    const db = `${address.config}\ndb.statement_timeout = 1\ndb.connect_timeout = 1`;
    const config = await writeConfig(folder.path, { db });
    const server = spawnCognomen([], { cwd: folder.path });
    steps.push(() => server.stop('SIGKILL'));
    await server.untilLogged('Ready');
    const standby = await primary.addStandby();
    steps.push(standby.stop);
    const load = startDatabaseLoad(config);
    steps.push(load.end);
    await load.untilBound(60);

    await standby.freeze(async () => {
      // Those that were on their way may have got there.
      await load.untilAnswered(({ kind, status }) => kind === 'bind' && status === 503);
      const known = load.acknowledged.size;
      await load.untilAnswered(({ kind, status }) => kind === 'bind' && status === 503);
      expect(load.acknowledged.size).toBe(known);
      await primary.kill();
    });
    await standby.promote();
    address.leadTo(standby.url);
    await load.untilBound(load.acknowledged.size + 60);
    await load.end();
    await load.requireNothingLost(standby.url);
    const refusals = load.answers.filter(({ status }) => status !== 200);
    expect(new Set(refusals.map(({ status }) => status))).toEqual(new Set([503]));
  } finally {
    await undo(steps);
  }
});
