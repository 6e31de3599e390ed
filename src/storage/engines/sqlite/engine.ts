import type Database from 'better-sqlite3';
import { CompiledQuery, Kysely, type RawBuilder, sql } from 'kysely';
import type { Logger } from 'pino';
import { type DatabaseMetrics, NO_DATABASE_METRICS } from '../../../platform/database-metrics.ts';
import { UnavailableError } from '../../../platform/unavailable.ts';
import type { Schema } from '../../kysely/schema.ts';
import { TransactionScope, withinOneTransaction } from '../../kysely/transaction-scope.ts';
import type { WriteTurn } from '../../others.ts';
import type { Engine, TextList } from '../engine.ts';
import { watchOutages, withOutages } from '../outages.ts';
import { inStatementSpan } from '../statement-spans.ts';
import { sqliteDialect } from './driver.ts';
import { namingFile, reasonOf } from './errors.ts';
import { integrityFaults } from './integrity.ts';
import { openFile } from './open-file.ts';
import { createReader } from './reader.ts';
import { remnantsOf } from './remnants.ts';

/** Milliseconds between looks at whether the file is still where it was. */
const LOOKS = 1000;

const list = (values: readonly string[]) => JSON.stringify(values) as unknown as TextList;
const isIn = (column: string | RawBuilder<string>, values: RawBuilder<TextList>) =>
  sql<boolean>`${typeof column === 'string' ? sql.ref(column) : column} in (select value from json_each(${values}))`;

/** Writes a page, and changes nothing. @throws what SQLite says */
async function touch(db: Kysely<Schema>): Promise<void> {
  try {
    await db.transaction().execute(async (transaction) => {
      const { rows } = await sql<{ user_version: number }>`pragma user_version`.execute(
        transaction,
      );
      await sql`pragma user_version = ${sql.lit(rows[0]?.user_version ?? 0)}`.execute(transaction);
    });
  } catch (error) {
    throw error instanceof UnavailableError ? error.cause : error;
  }
}

export interface SqliteEngineParts {
  readonly handle: Database.Database;
  /** Its path, or `:memory:`. */
  readonly path: string;
  readonly logger: Logger;
  readonly metrics?: DatabaseMetrics | undefined;
  /** Closes the file when the engine closes. */
  readonly close: () => void;
  /** Opens it a second time, to read; without it all goes over the one connection. */
  readonly openReader?: (() => Database.Database) | undefined;
  /** Where other processes of this server write to the file, too. */
  readonly writeTurn?: WriteTurn | undefined;
}

/** The engine on an open SQLite file. */
export function createSqliteEngine(parts: SqliteEngineParts): Engine {
  const {
    handle,
    path,
    logger,
    metrics = NO_DATABASE_METRICS,
    close,
    openReader,
    writeTurn,
  } = parts;
  // From here on nobody waits in SQLite: that would hold up all.
  handle.pragma('busy_timeout = 0');
  const scope = new TransactionScope();
  const file = openFile(path);
  const remnants = remnantsOf(handle, path);
  const outages = watchOutages({
    logger,
    metrics,
    reasonOf: (error) => reasonOf(error, path),
    async probe() {
      try {
        file.check();
      } catch (error) {
        // Before anybody is told: whoever copies the open file is to have everything.
        await remnants?.clear().catch(() => {});
        throw error;
      }
      await file.checkRoom();
      await scope.outside(() => touch(db));
    },
  });
  const translate = (error: unknown) => outages.translate(namingFile(error, path));
  const reader = openReader && createReader(openReader, scope, translate);
  const dialect = withOutages(
    'sqlite',
    sqliteDialect({ handle, file, reader, writeTurn }),
    outages,
  );
  const db = new Kysely<Schema>({ dialect: withinOneTransaction(dialect, scope) });

  /** @throws UnavailableError when nothing can be written for now */
  async function requireWritable(): Promise<void> {
    try {
      file.check();
    } catch (error) {
      throw outages.noted(error);
    }
    outages.requireNone();
  }
  const looking = setInterval(() => requireWritable().catch(() => {}), LOOKS).unref();

  const prepare: Engine['prepare'] = (text) => {
    const read = reader?.prepare(text);
    return (parameters) =>
      read === undefined
        ? db.executeQuery(CompiledQuery.raw(text, [...parameters])).then(({ rows }) => rows)
        : inStatementSpan('sqlite', text, () => read(parameters));
  };

  return {
    name: 'sqlite',
    metrics,
    db,
    scope,
    prepare,
    prepareLate: prepare,
    requireCurrent: () => {},
    list,
    // From the list to its keys: as an `in`, SQLite would make a table of the list first.
    keysByHash: ({ table, pepper }, hashes) =>
      sql`json_each(${hashes}) cross join ${sql.table(table)} as lookup
        on lookup.lookup_hash = json_each.value ${pepper ? sql`and lookup.pepper = ${pepper}` : sql``}`,
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
    isReadOnly: () => false,
    isRemote: false,
    fileFaults: (limit) => integrityFaults(handle, limit),
    remnants,
    async ping() {
      await requireWritable();
      await sql`select 1 from sqlite_schema limit 1`.execute(db);
    },
    async close() {
      clearInterval(looking);
      outages.stop();
      await db.destroy();
      // First: the last to close leaves everything in the one file.
      reader?.close();
      close();
      remnants?.close();
    },
  };
}
