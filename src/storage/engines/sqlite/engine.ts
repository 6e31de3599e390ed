import type Database from 'better-sqlite3';
import {
  CompiledQuery,
  type DatabaseConnection,
  Kysely,
  type RawBuilder,
  SqliteAdapter,
  SqliteDialect,
  type SqliteDialectConfig,
  SqliteDriver,
  SqliteQueryCompiler,
  type SqliteStatement,
  sql,
} from 'kysely';
import { LRUCache } from 'lru-cache';
import type { Schema } from '../../kysely/schema.ts';
import { TransactionScope, withinOneTransaction } from '../../kysely/transaction-scope.ts';
import type { Engine, TextList } from '../engine.ts';
import { createReader } from './reader.ts';

/** Statements the server uses are few; those made from lists go through one parameter. */
const CACHED_STATEMENTS = 200;

/** Keeps statements prepared: preparing costs several times what running a small one does. */
function withStatementCache(handle: Database.Database) {
  const cache = new LRUCache<string, SqliteStatement>({ max: CACHED_STATEMENTS });
  return {
    close: () => {
      cache.clear();
    },
    prepare(text: string): SqliteStatement {
      let statement = cache.get(text);
      if (statement === undefined) {
        statement = handle.prepare(text) as SqliteStatement;
        cache.set(text, statement);
      }
      return statement;
    },
  };
}

/**
 * Gives its one connection to one after the other, in the order of their coming. A transaction takes the write
 * lock at the start: it never finds out half-way that it cannot write.
 */
class ImmediateDriver extends SqliteDriver {
  readonly #used: () => void;
  #free: Promise<void> = Promise.resolve();
  #giveBack = () => {};

  /** @param used called each time that somebody is done with the connection */
  constructor(config: SqliteDialectConfig, used: () => void) {
    super(config);
    this.#used = used;
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const free = this.#free;
    this.#free = promise;
    await free;
    this.#giveBack = resolve;
    return super.acquireConnection();
  }

  override async releaseConnection(): Promise<void> {
    this.#used();
    this.#giveBack();
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }
}

/** SQLite does roll back DDL; Kysely assumes otherwise. */
class TransactionalAdapter extends SqliteAdapter {
  /** Else Kysely would let whoever is to be refused wait before the driver is asked. */
  override get supportsMultipleConnections(): boolean {
    return true;
  }

  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/**
 * A parameter that is compared with an indexed column makes SQLite plan the statement anew for each value, which takes
 * longer than most statements. With a plus, which changes no value, it is none.
 */
class Compiler extends SqliteQueryCompiler {
  override getCurrentParameterPlaceholder(): string {
    return '+?';
  }
}

class Dialect extends SqliteDialect {
  readonly #config: SqliteDialectConfig;
  readonly #used: () => void;

  constructor(config: SqliteDialectConfig, used: () => void) {
    super(config);
    this.#config = config;
    this.#used = used;
  }

  override createDriver(): SqliteDriver {
    return new ImmediateDriver(this.#config, this.#used);
  }

  override createAdapter(): SqliteAdapter {
    return new TransactionalAdapter();
  }

  override createQueryCompiler(): SqliteQueryCompiler {
    return new Compiler();
  }
}

const list = (values: readonly string[]) => JSON.stringify(values) as unknown as TextList;
const isIn = (column: string | RawBuilder<string>, values: RawBuilder<TextList>) =>
  sql<boolean>`${typeof column === 'string' ? sql.ref(column) : column} in (select value from json_each(${values}))`;

/**
 * The engine on an open SQLite file.
 * @param release closes the file when the engine closes
 * @param openReader opens it a second time, to read; without it all goes over the one connection
 */
export function createSqliteEngine(
  handle: Database.Database,
  release: () => void,
  openReader?: () => Database.Database,
): Engine {
  const scope = new TransactionScope();
  const reader = openReader && createReader(openReader, scope);
  const database = withStatementCache(handle);
  const dialect = new Dialect({ database }, () => reader?.renew());
  const db = new Kysely<Schema>({ dialect: withinOneTransaction(dialect, scope) });
  return {
    name: 'sqlite',
    db,
    scope,
    prepare: (text) =>
      reader?.prepare(text) ??
      (async (parameters) =>
        (await db.executeQuery(CompiledQuery.raw(text, [...parameters]))).rows),
    list,
    // From the list to its keys: as an `in`, SQLite would make a table of the list first.
    keysByHash: (hashes) =>
      sql`json_each(${hashes}) cross join cognomen_lookup_keys as lookup
        on lookup.lookup_hash = json_each.value`,
    // Which it would not choose by itself: by the id it goes to the table, whose rows are ten times as long.
    answers: sql`global_threepid_associations as global indexed by cognomen_answers`,
    members: (json) => sql`json_each(${json})`,
    isIn,
    isAnyOf: (column, values) => isIn(column, sql`${list(values)}`),
    // Its one write transaction at a time is that lock.
    lockAssociationLog: async () => undefined,
    wasCommitted: async () => false,
    hasOneWriter: true,
    locksRows: false,
    isRemote: false,
    async ping() {
      await sql`select 1`.execute(db);
    },
    async close() {
      await db.destroy();
      // First: the last to close leaves everything in the one file.
      reader?.close();
      release();
    },
  };
}
