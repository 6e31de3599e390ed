import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { sql } from 'kysely';
import type { Progress } from '../../platform/progress.ts';
import type { DatabaseConfig } from '../database-config.ts';
import { DatabaseOpenError, type Db, type Engine } from '../engines/engine.ts';
import { putInPlace, refuseExisting } from '../engines/sqlite/copy.ts';
import type { Schema } from '../kysely/schema.ts';
import { migrate, refuseNewer } from '../migrations/index.ts';
import { openEngine, type StorageDependencies } from '../open.ts';
import { refuseUnfinishedCopy } from '../unfinished-copy.ts';
import { type CopiedTable, compareAll } from './comparison.ts';
import { copyTable } from './copy-table.ts';
import { setNumbers } from './numbers.ts';
import { readPosition, writePosition } from './position.ts';
import { COPY_STATE, KEYS, rowsAfter, type Table } from './tables.ts';

export interface Copied {
  readonly tables: readonly CopiedTable[];
  /** Tables and columns (`table.column`) of others, which stay behind. */
  readonly leftBehind: readonly string[];
}

export interface CopyDependencies extends Omit<StorageDependencies, 'progress'> {
  readonly progress: Progress;
}

/**
 * Copies a whole database into an empty one, of whichever engine, and compares both. A copy that was interrupted goes on
 * where it was. Nobody writes the source meanwhile, and no server starts on the target: a SQLite file gets its name at the
 * end.
 * @throws OperatorError which says what stands in the way
 */
export async function copyDatabase(
  from: DatabaseConfig,
  to: DatabaseConfig,
  deps: CopyDependencies,
): Promise<Copied> {
  const source = await openEngine(from, deps);
  try {
    await refuseNewer(source);
    await migrate(source, deps.logger);
    await refuseUnfinishedCopy(source.db);
    if (to.engine === 'postgres') return await fill(to, source, deps);
    await refuseExisting(to.file);
    const unfinished = `${to.file}.part`;
    const copied = await fill({ ...to, file: unfinished }, source, deps);
    await putInPlace(unfinished, to.file);
    await rm(`${unfinished}.lock`, { force: true });
    return copied;
  } finally {
    await source.close();
  }
}

async function fill(to: DatabaseConfig, source: Engine, deps: CopyDependencies): Promise<Copied> {
  const target = await openEngine(to, deps);
  try {
    await refuseNewer(target);
    await migrate(target, deps.logger);
    return await copyInto(target, source, deps.progress);
  } finally {
    await target.close();
  }
}

/** A new database may have a pepper already: nothing was hashed with it yet. */
const PEPPER = 'hashing_metadata';

async function copyInto(target: Engine, source: Engine, progress: Progress): Promise<Copied> {
  const { tables, leftBehind } = await tablesOf(source, target);
  const name = await nameOf(source.db);
  let position = await readPosition(target.db);
  if (position === undefined) {
    await requireEmpty(target.db, tables);
    position = { source: name, done: [] };
    await target.db.transaction().execute(async (db) => {
      await db.deleteFrom(PEPPER).execute();
      await writePosition(db, { source: name, done: [] });
    });
  }
  if (position.source !== name) {
    throw new DatabaseOpenError(
      'The target holds an unfinished copy of another database. Empty it, and begin anew',
    );
  }
  const begun = position;
  const copied = await whileUnwritten(source, tables, async () => {
    let reached = begun;
    for (const table of tables) {
      if (reached.done.includes(table.name)) continue;
      reached = await copyTable(target, source, table, reached, progress);
    }
    await setNumbers(target, source);
    return compareAll(target.db, source.db, tables, progress);
  });
  await target.db.deleteFrom('cognomen_state').where('key', '=', COPY_STATE).execute();
  return { tables: copied, leftBehind };
}

/** Tells databases apart by their pepper, which is not to be read from it. */
async function nameOf(db: Db): Promise<string> {
  const row = await db
    .selectFrom('hashing_metadata')
    .select('lookup_pepper')
    .limit(1)
    .executeTakeFirst();
  return createHash('sha256').update(`copy of ${row?.lookup_pepper}`).digest('hex').slice(0, 16);
}

async function schemaOf({ name, db }: Engine): Promise<string | undefined> {
  if (name !== 'postgres') return undefined;
  const { rows } = await sql<{ schema: string }>`select current_schema() as schema`.execute(db);
  return rows[0]?.schema;
}

/** Does the work while nobody else writes these tables: a SQLite file is locked already. */
async function whileUnwritten<T>(
  { name, db }: Engine,
  tables: readonly Table[],
  work: () => Promise<T>,
): Promise<T> {
  if (name !== 'postgres') return work();
  return db.transaction().execute(async (transaction) => {
    const all = sql.join(tables.map((table) => sql.table(table.name)));
    await sql`lock table ${all} in share mode`.execute(transaction);
    return work();
  });
}

/** What is to be copied, and what of the source is nobody's here. */
async function tablesOf(source: Engine, target: Engine) {
  const columnsOf = async (engine: Engine) => {
    const tables = await engine.db.introspection.getTables();
    // Others in the same PostgreSQL may have tables of the same names, in schemas of their own.
    const schema = await schemaOf(engine);
    const own = tables.filter((table) => schema === undefined || table.schema === schema);
    return new Map(own.map(({ name, columns }) => [name, columns.map((column) => column.name)]));
  };
  const [ours, theirs] = [await columnsOf(target), await columnsOf(source)];
  const tables = (Object.keys(KEYS) as (keyof Schema)[]).map((name): Table => {
    const columns = theirs.get(name)?.filter((column) => ours.get(name)?.includes(column)) ?? [];
    return { name, key: KEYS[name], columns };
  });
  // Limits begin anew in another database.
  const isOurs = (name: string) => /^(?:sqlite_|cognomen_(?:migrations|buckets))/.test(name);
  const leftBehind = [...theirs].flatMap(([name, columns]) => {
    if (isOurs(name)) return [];
    const known = ours.get(name);
    if (known === undefined || !Object.hasOwn(KEYS, name)) return [name];
    return columns.filter((column) => !known.includes(column)).map((one) => `${name}.${one}`);
  });
  return { tables, leftBehind };
}

async function requireEmpty(db: Db, tables: readonly Table[]): Promise<void> {
  for (const table of tables.filter(({ name }) => name !== PEPPER)) {
    const [row] = await rowsAfter(db, table, undefined, 1);
    if (row === undefined) continue;
    throw new DatabaseOpenError(
      `The target is not empty: its table ${table.name} has rows. Copy into a database that nothing was done with yet, on which no server was started`,
    );
  }
}
