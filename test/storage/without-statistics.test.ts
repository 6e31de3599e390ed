import pg from 'pg';
import pino from 'pino';
import { expect, test } from 'vitest';
import { secureRandom } from '../../src/platform/random.ts';
import { openStorage } from '../../src/storage/open.ts';
import { createDatabase, ENGINES } from '../support/databases.ts';
import { configOf } from '../support/earlier-database.ts';
import { TestClock } from '../support/server.ts';

/** So many that the planner would read them by several processes. */
const ROWS = 100_000;

/** Right after a copy PostgreSQL takes a table that it has not analysed for one whose rows are all alike. */
test.runIf(ENGINES.includes('postgres'))(
  'no lookup reads a table through that was just filled',
  async () => {
    const database = await createDatabase('postgres');
    const storage = await openStorage(configOf(database), {
      logger: pino({ level: 'silent' }),
      clock: new TestClock(),
      random: secureRandom,
      serverName: 'id.test',
      pidFile: '',
    });
    for (const table of ['global_threepid_associations', 'cognomen_lookup_keys']) {
      await database.execute(`alter table ${table} set (autovacuum_enabled = false)`);
    }
    await database.execute(`insert into global_threepid_associations
    (medium, address, mxid, ts, "notBefore", "notAfter", "originServer", "originId", "sgAssoc")
    select 'email', 'user' || i || '@sample.test', '@user' || i || ':hs.test', 1, 1, 4000000000000, 'id.test', i, repeat('x', 400)
    from generate_series(1, ${ROWS}) i`);
    await database.execute(`insert into cognomen_lookup_keys (global_id, spelling, lookup_hash)
    select id, address, md5(address) from global_threepid_associations`);

    const plans: string[] = [];
    const query = pg.Client.prototype.query as (...args: unknown[]) => unknown;
    pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
      const [first] = args as [{ text?: string; values?: unknown[] }];
      if (first.text?.includes('cognomen_lookup_keys')) {
        const explain = query.call(
          this,
          `explain ${first.text}`,
          first.values,
        ) as Promise<pg.QueryResult>;
        void explain.then(({ rows }) =>
          plans.push(rows.map((row) => row['QUERY PLAN']).join('\n')),
        );
      }
      return query.apply(this, args);
    } as typeof pg.Client.prototype.query;
    try {
      const keys = Array.from({ length: 100 }, (_, i) => `user${i * 7 + 1}@sample.test`);
      const { lookups } = storage.stores;
      expect(await lookups.byAddresses(keys, 2)).toHaveLength(100);
      expect(await lookups.signedByAddress('email', 'user1@sample.test', 2)).toHaveLength(1);
      const hashes = (await database.execute(
        'select lookup_hash from cognomen_lookup_keys order by global_id limit 100',
      )) as { lookup_hash: string }[];
      expect(
        await lookups.byHashes(
          hashes.map((row) => row.lookup_hash),
          2,
          0,
        ),
      ).toHaveLength(100);
    } finally {
      pg.Client.prototype.query = query as typeof pg.Client.prototype.query;
    }
    expect(plans).toHaveLength(3);
    for (const plan of plans) expect(plan).not.toMatch(/Seq Scan|Gather/);
    await storage.close();
    await database.drop();
  },
);
