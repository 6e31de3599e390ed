import type { Logger } from 'pino';
import type { Clock } from '../platform/clock.ts';
import type { DatabaseMetrics } from '../platform/database-metrics.ts';
import { newPepper } from '../platform/new-pepper.ts';
import { createProgress, type Progress } from '../platform/progress.ts';
import type { Random } from '../platform/random.ts';
import type { DatabaseConfig } from './database-config.ts';
import type { Db, Engine } from './engines/engine.ts';
import { createSqliteEngine } from './engines/sqlite/engine.ts';
import { openSqlite } from './engines/sqlite/open.ts';
import { openSharedBuckets } from './kysely/shared-buckets.ts';
import { storesOn } from './kysely/stores-on.ts';
import { transactionsOn } from './kysely/transactions.ts';
import { hasPendingMigrations, migrate } from './migrations/index.ts';
import type { Others } from './others.ts';
import type { SharedBuckets, Storage } from './stores/index.ts';
import { refuseUnfinishedCopy } from './unfinished-copy.ts';
import { createWriteTurns } from './write-turns.ts';

export interface StorageDependencies {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics?: DatabaseMetrics | undefined;
  /** To whom long work is told; without it the log. */
  readonly progress?: Progress;
  /** Whose associations are this server's own. */
  readonly serverName: string;
  /** Aborted when the server is to stop: it waits for no database any longer. */
  readonly signal?: AbortSignal | undefined;
  /** Where a Sydent on the same file would have noted its process id; empty: nowhere. */
  readonly pidFile: string;
  /** Other processes of this server, where it is not alone. */
  readonly others?: Others | undefined;
}

/** Opens the database as it is. @throws DatabaseOpenError */
export async function openEngine(
  config: DatabaseConfig,
  deps: StorageDependencies,
  writeTurn = deps.others?.writeTurn,
): Promise<Engine> {
  if (config.engine === 'sqlite') {
    const file = await openSqlite(config, { progress: createProgress(deps), ...deps });
    const engine = createSqliteEngine({
      ...file,
      logger: deps.logger,
      metrics: deps.metrics,
      writeTurn,
    });
    try {
      if (await hasPendingMigrations(engine)) await file.backup();
    } catch (error) {
      await engine.close();
      throw error;
    }
    return engine;
  }
  const { openPostgresEngine } = await import('./engines/postgres/engine.ts');
  return openPostgresEngine(config, deps);
}

/** The pepper in the database; one of several processes that start at once makes it. */
async function readPepper(db: Db, random: Random): Promise<string> {
  const read = () =>
    db.selectFrom('hashing_metadata').select('lookup_pepper').limit(1).executeTakeFirst();
  const existing = await read();
  if (existing?.lookup_pepper) return existing.lookup_pepper;
  await db
    .insertInto('hashing_metadata')
    .values({ id: 0, lookup_pepper: newPepper(random) })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const made = await read();
  if (!made?.lookup_pepper) throw new Error('hashing_metadata holds no pepper');
  return made.lookup_pepper;
}

/**
 * Opens the configured database and brings it up to date.
 * @throws DatabaseOpenError with a message for the operator.
 */
export async function openStorage(
  config: DatabaseConfig,
  deps: StorageDependencies,
): Promise<Storage> {
  const writeTurn =
    config.engine === 'sqlite' ? createWriteTurns(deps.others?.writeTurn) : undefined;
  const engine = await openEngine(config, deps, writeTurn);
  let pepper: string;
  let sharedBuckets: SharedBuckets | undefined;
  try {
    if (deps.others?.isFirst !== false) await migrate(engine, deps.logger);
    await refuseUnfinishedCopy(engine.db);
    pepper = await readPepper(engine.db, deps.random);
    sharedBuckets = await openSharedBuckets(engine, deps.random);
  } catch (error) {
    await engine.close();
    throw error;
  }
  const storesIn = storesOn(engine);
  return {
    stores: storesIn(engine.db),
    ...transactionsOn(engine, storesIn),
    pepper,
    sharedBuckets,
    writeTurn,
    remnants: engine.remnants && { ...engine.remnants, rewrite: undefined },
    ping: () => engine.ping(),
    close: () => engine.close(),
  };
}
