import { existsSync } from 'node:fs';
import Database from 'better-sqlite3';
import type { Logger } from 'pino';
import type { DatabaseConfig } from './database-config.ts';
import { DatabaseOpenError, type Engine } from './engines/engine.ts';
import { createSqliteEngine } from './engines/sqlite/engine.ts';
import { storesOn } from './kysely/stores-on.ts';
import { transactionsOn } from './kysely/transactions.ts';
import { hasPendingMigrations } from './migrations/index.ts';
import type { WriteTurn } from './others.ts';
import type { Storage } from './stores/index.ts';
import { refuseUnfinishedCopy } from './unfinished-copy.ts';

/** Milliseconds to wait for what the server is writing. */
const PATIENCE = 5000;

/**
 * Opens a SQLite file beside a server that may be running on it.
 * @throws DatabaseOpenError when it is not there, or is none
 */
export function openBeside(file: string): Database.Database {
  if (!existsSync(file)) {
    throw new DatabaseOpenError(`There is no database ${file}; start the server once first`);
  }
  let handle: Database.Database | undefined;
  try {
    handle = new Database(file, { fileMustExist: true, timeout: PATIENCE });
    handle.pragma('foreign_keys = OFF');
    handle.pragma('trusted_schema = OFF');
    handle.pragma('synchronous = FULL');
    handle.pragma('secure_delete = ON');
    return handle;
  } catch (error) {
    handle?.close();
    const reason = error instanceof Error ? error.message : String(error);
    throw new DatabaseOpenError(`The database ${file} cannot be opened: ${reason}`, {
      cause: error,
    });
  }
}

/** @throws DatabaseOpenError */
export async function openBesideOthers(
  config: DatabaseConfig,
  logger: Logger,
  writeTurn?: WriteTurn | undefined,
): Promise<Engine> {
  if (config.engine === 'postgres') {
    const { openPostgresEngine } = await import('./engines/postgres/engine.ts');
    return openPostgresEngine(
      { ...config, poolSize: 1, startTimeout: 0, replicas: [] },
      { logger },
    );
  }
  const handle = openBeside(config.file);
  const close = () => handle.close();
  return createSqliteEngine({ handle, path: config.file, logger, close, writeTurn });
}

/**
 * Opens the database for a command, beside a server that may be running on it: takes no lock, and
 * changes neither schema nor settings.
 * @param writeTurn the server's turns to write to a SQLite file, where it gives one
 * @throws DatabaseOpenError with a message for the operator.
 */
export async function openForCommand(
  config: DatabaseConfig,
  logger: Logger,
  writeTurn?: WriteTurn,
): Promise<Pick<Storage, 'stores' | 'transaction' | 'logTransaction' | 'remnants' | 'close'>> {
  const engine = await openBesideOthers(config, logger, writeTurn);
  try {
    if (await hasPendingMigrations(engine)) {
      throw new DatabaseOpenError(
        'The database is not up to date; start this version of the server on it once first',
      );
    }
    await refuseUnfinishedCopy(engine.db);
  } catch (error) {
    await engine.close();
    throw error;
  }
  const storesIn = storesOn(engine);
  return {
    stores: storesIn(engine.db),
    ...transactionsOn(engine, storesIn),
    remnants: engine.remnants,
    close: () => engine.close(),
  };
}
