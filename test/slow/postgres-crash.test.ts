import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/databases.ts';
import { queryAt } from '../support/postgres.ts';
import { startPostgres } from '../support/postgres-server.ts';
import { askAnew, startWorkers } from '../support/workers.ts';

const CRASHES = 3;
const BINDS_BETWEEN = 60;
const CLIENTS = 8;
const SESSIONS = 20_000;

test.each([1, 3])(
  'PostgreSQL crashes and comes back under a load of binds through %i workers: nothing that was acknowledged is lost',
  async (workers) => {
    const folder = await temporaryFolder();
    const postgres = await startPostgres({ durable: true });
    try {
      const db = `db.url = ${postgres.url.replaceAll('%', '%%')}`;
      const server = await startWorkers(folder.path, { db }, { workers });
      const pids = workers === 1 ? [server.pid] : await server.untilServing(workers);
      await queryAt(
        postgres.url,
        `insert into threepid_validation_sessions (id, medium, address, "clientSecret", validated, mtime)
          select n, 'email', 'user' || n || '@sample.test', 'secret', 1, ${Date.now()}
          from generate_series(1, ${SESSIONS}) as n`,
      );
      await queryAt(
        postgres.url,
        `insert into cognomen_sessions (session_id, medium, address, client_secret)
          select id, medium, address, "clientSecret" from threepid_validation_sessions`,
      );
      const root = `${server.url}/_matrix/identity/api/v1`;
      const acknowledged = new Map<string, unknown>();
      const statuses = new Set<number>();
      let next = 1;
      let isOver = false;
      async function bind(): Promise<void> {
        const sid = next++;
        const mxid = `@user${sid}:sample.test`;
        const body = { sid: String(sid), client_secret: 'secret', mxid };
        const { status, json } = await askAnew(`${root}/3pid/bind`, { method: 'POST', body });
        statuses.add(status);
        if (status === 200) acknowledged.set(`user${sid}@sample.test`, json);
      }
      const clients = Array.from({ length: CLIENTS }, async () => {
        while (!isOver) await bind();
      });
      const counted = (text: string, pid: number) =>
        server
          .log()
          .split('\n')
          .filter((line) => line.includes(text) && line.includes(`"pid":${pid},`)).length;
      const until = (is: () => boolean) =>
        expect.poll(() => is() || [...statuses], { timeout: 30_000 }).toBe(true);
      for (let crash = 0; crash < CRASHES; crash++) {
        const target = acknowledged.size + BINDS_BETWEEN;
        await until(() => acknowledged.size >= target);
        const all = (text: string) => pids.every((pid) => counted(text, pid) > crash);
        await postgres.crash(async () => {
          statuses.clear();
          // Somebody is refused by each, and told to come again.
          await until(() => statuses.has(503) && all('The database cannot be used:'));
        });
        await until(() => statuses.has(200));
        // It is looked for each half a second: a crash before that is one outage with the last.
        await until(() => all('The database can be used again'));
      }
      isOver = true;
      await Promise.all(clients);
      expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([]);
      for (const [address, signed] of acknowledged) {
        const query = new URLSearchParams({ medium: 'email', address });
        expect((await askAnew(`${root}/lookup?${query}`)).json).toEqual(signed);
      }
      for (const pid of pids) {
        expect(counted('The database cannot be used:', pid)).toBe(CRASHES);
        expect(counted('"level":"error"', pid)).toBe(CRASHES);
      }
      if (workers > 1) expect(await server.untilServing(workers)).toEqual(pids);
      expect(await server.stop()).toBe(0);
    } finally {
      await postgres.stop();
      await folder.remove();
    }
  },
  120_000,
);
