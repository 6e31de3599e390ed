import type { Progress } from '../../platform/progress.ts';
import { UnavailableError } from '../../platform/unavailable.ts';
import { DatabaseOpenError, type Db, type Engine } from '../engines/engine.ts';
import { type Position, writePosition } from './position.ts';
import {
  countRows,
  insertRows,
  keyOf,
  type Row,
  rowsAfter,
  type Table,
  type Value,
} from './tables.ts';

/** Rows at once, and values: SQLite takes 32,766 in a statement. */
const ROWS_AT_ONCE = 1000;
const VALUES_AT_ONCE = 12_000;
const LENGTH_AT_ONCE = 4 * 1024 * 1024;
/** Each may be as long as a push. */
const READ_AT_ONCE = 100;

/** Rows that go into one statement; few more than that many bytes of them. */
async function readPortion(
  db: Db,
  table: Table,
  after: readonly Value[] | undefined,
): Promise<Row[]> {
  const most = Math.min(ROWS_AT_ONCE, Math.floor(VALUES_AT_ONCE / table.columns.length));
  const portion: Row[] = [];
  let length = 0;
  let behind = after;
  while (portion.length < most && length < LENGTH_AT_ONCE) {
    const rows = await rowsAfter(db, table, behind, Math.min(READ_AT_ONCE, most - portion.length));
    portion.push(...rows);
    for (const value of rows.flatMap((row) => Object.values(row))) length += String(value).length;
    const last = rows.at(-1);
    if (last === undefined || rows.length < READ_AT_ONCE) break;
    behind = keyOf(table, last);
  }
  return portion;
}

/** Copies what is left of one table; the new position. */
export async function copyTable(
  target: Engine,
  source: Engine,
  table: Table,
  before: Position,
  progress: Progress,
): Promise<Position> {
  let after = before.table === table.name ? before.after : undefined;
  let copied = after === undefined ? 0 : await countRows(target.db, table);
  const left = async () => (await countRows(source.db, table)) - copied;
  const task = await progress.begin(`Copying ${table.name}`, left);
  const { source: name, done } = before;
  let rows = await readPortion(source.db, table, after);
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
      readPortion(source.db, table, after),
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
