import { sql } from 'kysely';
import { yieldToEventLoop } from '../../../platform/yield-to-event-loop.ts';
import type { Db } from '../../engines/engine.ts';
import type { Schema } from '../schema.ts';

/** Rows that are gone through in a few milliseconds. */
const ROWS = 4000;

/** The keys of some rows: behind `low`, and up to `high`. */
export interface Piece<Key> {
  readonly low: Key;
  readonly high: Key;
}

/**
 * Goes through a whole table piece by piece, in the order of its key, and lets others have their turn between two: on
 * SQLite nobody else is answered while a statement runs.
 * @param after where to begin: behind that key
 * @param rows of a piece, where each takes longer than usual
 * @param work resolves to false where it has enough
 */
export async function eachPiece<Key extends string | number>(
  db: Db,
  {
    table,
    key,
    after,
    rows: most = ROWS,
  }: { table: keyof Schema; key: string; after: Key; rows?: number },
  work: (piece: Piece<Key>) => Promise<boolean>,
): Promise<void> {
  for (let low = after; ; ) {
    const { rows } = await sql<{ high: Key | null }>`select max(piece.key) as high from (
      select ${sql.ref(key)} as key from ${sql.table(table)} where ${sql.ref(key)} > ${low}
      order by ${sql.ref(key)} limit ${most}) as piece`.execute(db);
    const high = rows[0]?.high ?? undefined;
    // A text that is no UTF-8 comes back as another, behind which it stands still.
    if (high === undefined || high === low || !(await work({ low, high }))) return;
    low = high;
    await yieldToEventLoop();
  }
}
