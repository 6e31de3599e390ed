import { readFile } from 'node:fs/promises';
import { sql } from 'kysely';
import pino from 'pino';
import { parseConfig } from '../../src/config/load.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createProgress } from '../../src/platform/progress.ts';
import { secureRandom } from '../../src/platform/random.ts';
import type { DatabaseConfig } from '../../src/storage/database-config.ts';
import type { Engine } from '../../src/storage/engines/engine.ts';
import { openPostgresEngine } from '../../src/storage/engines/postgres/engine.ts';
import { createSqliteEngine } from '../../src/storage/engines/sqlite/engine.ts';
import { openSqlite } from '../../src/storage/engines/sqlite/open.ts';
import { migrator } from '../../src/storage/migrations/index.ts';
import { createDatabase, type EngineName, type TestDatabase } from './databases.ts';
import { SIGNING_KEY } from './server.ts';

type Row = Readonly<Record<string, string | number | null>>;
const logger = pino({ level: 'silent' });

/** A test database's configuration, as the server reads it. */
export const configOf = (database: TestDatabase): DatabaseConfig => {
  const text = `[db]
${database.config}
[crypto]
ed25519.signingkey = ${SIGNING_KEY}`;
  return parseConfig('test', text, { env: {}, hostname: 'id.test' }).config.db;
};

async function openEngine(config: DatabaseConfig): Promise<Engine> {
  if (config.engine === 'postgres') return openPostgresEngine(config, { logger });
  const progress = createProgress({ logger, clock: systemClock });
  const file = await openSqlite(config, {
    logger,
    clock: systemClock,
    random: secureRandom,
    progress,
    serverName: 'id.test',
    pidFile: '',
  });
  return createSqliteEngine({ ...file, logger, openReader: undefined });
}

/** A database of the version before the name was used as written: see test/fixtures/lower-cased-name. */
export async function createEarlierDatabase(engineName: EngineName): Promise<TestDatabase> {
  const database = await createDatabase(engineName);
  const engine = await openEngine(configOf(database));
  const { error } = await migrator(engine).migrateTo('0005-replication');
  if (error !== undefined) throw error;
  const file = new URL(`../fixtures/lower-cased-name/${engineName}.json`, import.meta.url);
  const tables = JSON.parse(await readFile(file, 'utf8')) as Record<string, Row[]>;
  for (const [table, rows] of Object.entries(tables)) {
    await engine.db.deleteFrom(table as never).execute();
    if (rows.length === 0) continue;
    await engine.db
      .insertInto(table as never)
      .values(rows as never)
      .execute();
    const isNumbered = engineName === 'postgres' && 'id' in (rows[0] ?? {});
    if (!isNumbered || table === 'hashing_metadata') continue;
    await sql`select setval(pg_get_serial_sequence(${table}, 'id'), (select max(id) from ${sql.table(table)}))`.execute(
      engine.db,
    );
  }
  await engine.close();
  return database;
}
