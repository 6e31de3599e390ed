import type { Db } from '../engines/engine.ts';
import { COPY_STATE, type Value } from './tables.ts';

/** How far a copy is. */
export interface Position {
  /** Of which database. */
  readonly source: string;
  /** Those that are copied whole. */
  readonly done: readonly string[];
  /** The one under way, and the last row that is there. */
  readonly table?: string;
  readonly after?: readonly Value[];
}

export async function readPosition(db: Db): Promise<Position | undefined> {
  const row = await db
    .selectFrom('cognomen_state')
    .select('value')
    .where('key', '=', COPY_STATE)
    .executeTakeFirst();
  return row && (JSON.parse(row.value) as Position);
}

export async function writePosition(db: Db, position: Position): Promise<void> {
  const value = JSON.stringify(position);
  await db
    .insertInto('cognomen_state')
    .values({ key: COPY_STATE, value })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
    .execute();
}
