import { afterAll, expect, test } from 'vitest';
import { processOf } from '../../src/platform/other-processes.ts';
import { createDatabase, ENGINES, temporaryFolder } from '../support/databases.ts';
import { childrenOf } from '../support/process.ts';
import { askAnew, isAlive, killWorker, startWorkers } from '../support/workers.ts';

const cleanUp: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const step of cleanUp.reverse()) await step();
});

const commandOf = (pid: number): string => processOf(pid).command;

test.each(ENGINES)(
  'a worker that does not answer any more is killed and replaced, on %s',
  async (engine) => {
    const folder = await temporaryFolder();
    cleanUp.push(folder.remove);
    const database = await createDatabase(engine);
    cleanUp.push(database.drop);
    const server = await startWorkers(folder.path, { db: database.config });
    cleanUp.push(() => server.stop('SIGKILL'));
    const [leading, other] = server.workers();
    if (!leading || !other) throw new Error('Two workers were to be there');
    process.kill(leading, 'SIGSTOP');
    const served = async () => {
      const answer = askAnew(`${server.url}/_matrix/identity/v2`).catch(() => undefined);
      return (await answer)?.status;
    };
    // Of those that come meanwhile one waits for it, and is told when it is killed; all others are served.
    const asked = Array.from({ length: 20 }, served);
    await server.untilLogged('does not answer any more');
    expect(
      (await Promise.all(asked)).filter((status) => status === 200).length,
    ).toBeGreaterThanOrEqual(18);
    await expect.poll(() => isAlive(leading)).toBe(false);
    await server.untilServing(2);
    expect(isAlive(other)).toBe(true);
    expect(await server.stop()).toBe(0);
  },
  90_000,
);

test('one that hangs while it starts is killed, and another takes the place', async () => {
  const folder = await temporaryFolder();
  cleanUp.push(folder.remove);
  const server = await startWorkers(folder.path, { db: 'db.file = own.db' });
  cleanUp.push(() => server.stop('SIGKILL'));
  const former = await server.untilServing(2);
  await killWorker(former[1]);
  let coming: number | undefined;
  while (coming === undefined) {
    // Not before it runs a program of its own: until then the one that starts it waits for it.
    coming = childrenOf(server.pid).find(
      (pid) => !former.includes(pid) && commandOf(pid) !== commandOf(server.pid),
    );
    await new Promise((resolve) => setImmediate(resolve));
  }
  process.kill(coming, 'SIGSTOP');
  expect(await server.metric('cognomen_workers')).toBe(1);
  await server.untilLogged('does not answer any more');
  await server.untilServing(2);
  expect(isAlive(coming)).toBe(false);
  expect(await server.stop()).toBe(0);
}, 90_000);
