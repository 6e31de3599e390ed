import { createHash } from 'node:crypto';
import type { Progress } from '../../platform/progress.ts';
import { UnavailableError } from '../../platform/unavailable.ts';
import type { DatabaseConfig } from '../database-config.ts';
import { DatabaseOpenError, type Db, type Engine } from '../engines/engine.ts';
import type { Schema } from '../kysely/schema.ts';
import { migrate } from '../migrations/index.ts';
import { openEngine, type StorageDependencies } from '../open.ts';
import { refuseUnfinishedCopy } from '../unfinished-copy.ts';
import { checksumOf } from './checksum.ts';
import { setNumbers } from './numbers.ts';
import {
  COPY_STATE,
  countRows,
  insertRows,
  KEYS,
  keyOf,
  type Row,
  rowsAfter,
  type Table,
  type Value,
} from './tables.ts';

/** A table that was copied and found the same on both sides. */
export interface CopiedTable {
  readonly name: string;
  readonly rows: number;
}

export interface Copied {
  readonly tables: readonly CopiedTable[];
  /** Tables and columns (`table.column`) of others, which stay behind. */
  readonly leftBehind: readonly string[];
}

export interface CopyDependencies extends Omit<StorageDependencies, 'progress'> {
  readonly progress: Progress;
}

/** How far a copy is. */
interface Position {
  /** Of which database. */
  readonly source: string;
  /** Those that are copied whole. */
  readonly done: readonly string[];
  /** The one under way, and the last row that is there. */
  readonly table?: string;
  readonly after?: readonly Value[];
}

/** Rows at once, and values: SQLite takes 32,766 in a statement. */
const ROWS_AT_ONCE = 1000;
const VALUES_AT_ONCE = 12_000;

/**
 * Copies a whole database into an empty one, of whichever engine, and compares both. A copy that was interrupted goes on
 * where it was. No server may run on either: a SQLite file is locked meanwhile; what changes in PostgreSQL is noticed at
 * the end.
 * @throws DatabaseOpenError which says what stands in the way; then no server starts on what is there of the copy
 */
export async function copyDatabase(
  from: DatabaseConfig,
  to: DatabaseConfig,
  deps: CopyDependencies,
): Promise<Copied> {
  const source = await openEngine(from, deps);
  try {
    await migrate(source, deps.logger);
    await refuseUnfinishedCopy(source.db);
    const target = await openEngine(to, deps);
    try {
      await migrate(target, deps.logger);
      return await copyInto(target, source, deps.progress);
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** A new database may have a pepper already: nothing was hashed with it yet. */
const PEPPER = 'hashing_metadata';

async function copyInto(target: Engine, source: Engine, progress: Progress): Promise<Copied> {
  const { tables, leftBehind } = await compare(source, target);
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
  for (const table of tables) {
    if (position.done.includes(table.name)) continue;
    position = await copyTable(target, source, table, position, progress);
  }
  await setNumbers(target, source);
  const copied = await verify(target.db, source.db, tables, progress);
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

/** What is to be copied, and what of the source is nobody's here. */
async function compare(source: Engine, target: Engine) {
  const columnsOf = async ({ db }: Engine) =>
    new Map(
      (await db.introspection.getTables()).map(({ name, columns }) => [
        name,
        columns.map((column) => column.name),
      ]),
    );
  const [ours, theirs] = [await columnsOf(target), await columnsOf(source)];
  const tables = (Object.keys(KEYS) as (keyof Schema)[]).map((name): Table => {
    const columns = theirs.get(name)?.filter((column) => ours.get(name)?.includes(column)) ?? [];
    return { name, key: KEYS[name], columns };
  });
  const isOurs = (name: string) => /^(?:sqlite_|cognomen_migrations)/.test(name);
  const leftBehind = [...theirs].flatMap(([name, columns]) => {
    if (isOurs(name)) return [];
    const known = ours.get(name);
    if (known === undefined || !Object.hasOwn(KEYS, name)) return [name];
    return columns.filter((column) => !known.includes(column)).map((one) => `${name}.${one}`);
  });
  return { tables, leftBehind };
}

async function readPosition(db: Db): Promise<Position | undefined> {
  const row = await db
    .selectFrom('cognomen_state')
    .select('value')
    .where('key', '=', COPY_STATE)
    .executeTakeFirst();
  return row && (JSON.parse(row.value) as Position);
}

async function writePosition(db: Db, position: Position): Promise<void> {
  const value = JSON.stringify(position);
  await db
    .insertInto('cognomen_state')
    .values({ key: COPY_STATE, value })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
    .execute();
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

/** Copies what is left of one table; the new position. */
async function copyTable(
  target: Engine,
  source: Engine,
  table: Table,
  before: Position,
  progress: Progress,
): Promise<Position> {
  const limit = Math.min(ROWS_AT_ONCE, Math.floor(VALUES_AT_ONCE / table.columns.length));
  let after = before.table === table.name ? before.after : undefined;
  let copied = after === undefined ? 0 : await countRows(target.db, table);
  const left = async () => (await countRows(source.db, table)) - copied;
  const task = await progress.begin(`Copying ${table.name}`, left);
  const { source: name, done } = before;
  let rows = await rowsAfter(source.db, table, after, limit);
  while (rows.length > 0) {
    const last = rows.at(-1);
    after = last && keyOf(table, last);
    const portion = rows;
    const position = { source: name, done, table: table.name, ...(after && { after }) };
    const writing = target.db.transaction().execute(async (db) => {
      await insertRows(db, table, portion);
      await writePosition(db, position);
    });
    // While those are written, the next are read.
    const [written, next] = await Promise.allSettled([
      writing,
      rowsAfter(source.db, table, after, limit),
    ]);
    if (written.status === 'rejected') {
      throw await naming(target, table, portion, written.reason as unknown);
    }
    if (next.status === 'rejected') throw next.reason;
    copied += portion.length;
    await task.advance(portion.length);
    rows = next.value;
  }
  const position = { source: name, done: [...done, table.name] };
  await writePosition(target.db, position);
  task.end();
  return position;
}

/** The failure with the row that caused it, where it is one row's: those before it are tried one by one, and undone. */
async function naming(
  target: Engine,
  table: Table,
  rows: readonly Row[],
  cause: unknown,
): Promise<unknown> {
  // That has nothing to do with any row.
  if (cause instanceof UnavailableError) return cause;
  for (const row of rows) {
    try {
      await target.db.transaction().execute(async (db) => {
        await insertRows(db, table, [row]);
        throw new Undone();
      });
    } catch (error) {
      if (error instanceof Undone) continue;
      if (error instanceof UnavailableError) return error;
      const reason = error instanceof Error ? error.message : String(error);
      const [first] = table.key;
      const isNumber = typeof row[first ?? ''] === 'number';
      const which = isNumber ? `with the ${first} ${row[first ?? '']}` : 'there';
      return new DatabaseOpenError(
        `A row ${which} in the table ${table.name} cannot be stored in the target: ${reason}. Correct it in the source, and run the same command again: it goes on where it was`,
        { cause: error },
      );
    }
  }
  return cause;
}

class Undone extends Error {}

/** @throws DatabaseOpenError where a table is not the same on both sides */
async function verify(
  target: Db,
  source: Db,
  tables: readonly Table[],
  progress: Progress,
): Promise<CopiedTable[]> {
  const copied: CopiedTable[] = [];
  for (const table of tables) {
    let compared = 0;
    const left = async () => 2 * (await countRows(source, table)) - compared;
    const task = await progress.begin(`Comparing ${table.name}`, left);
    const advance = (rows: number) => {
      compared += rows;
      return task.advance(rows);
    };
    const [one, other] = await Promise.all([
      checksumOf(source, table, advance),
      checksumOf(target, table, advance),
    ]);
    task.end();
    const there = await countRows(source, table);
    if (there !== one.count) {
      throw new DatabaseOpenError(
        `${there - one.count} rows of the table ${table.name} have no ${table.key.join(' or ')}, and were not copied: correct or delete them in the source, empty the target, and copy anew`,
      );
    }
    if (one.count !== other.count || one.sum !== other.sum) {
      throw new DatabaseOpenError(
        `The table ${table.name} is not the same in both (${one.count} and ${other.count} rows): the source was changed meanwhile. Stop every server on it, empty the target, and copy anew`,
      );
    }
    copied.push({ name: table.name, rows: one.count });
  }
  return copied;
}
