import { createHash } from 'node:crypto';
import { yieldToEventLoop } from '../../platform/yield-to-event-loop.ts';
import type { Db } from '../engines/engine.ts';
import { keyOf, type Row, rowsAfter, type Table, type Value } from './tables.ts';

/** What a table holds, whatever the order of its rows. */
export interface Checksum {
  readonly count: number;
  readonly sum: bigint;
}

/** Each may be as long as a push. */
const AT_ONCE = 100;
const MODULUS = 1n << 64n;

/** The value as both databases have it: SQLite may hold a number as text. */
const plain = (value: Value | undefined) =>
  value === null || value === undefined ? null : String(value);

function ofRow(row: Row, columns: readonly string[]): bigint {
  const text = JSON.stringify(columns.map((column) => plain(row[column])));
  return createHash('sha256').update(text).digest().readBigUInt64BE();
}

/** Reads the whole table. @param advance told of the rows that are done */
export async function checksumOf(
  db: Db,
  table: Table,
  advance: (rows: number) => Promise<void>,
): Promise<Checksum> {
  let count = 0;
  let sum = 0n;
  let after: Value[] | undefined;
  for (;;) {
    const rows = await rowsAfter(db, table, after, AT_ONCE);
    for (const row of rows) sum = (sum + ofRow(row, table.columns)) % MODULUS;
    count += rows.length;
    const last = rows.at(-1);
    if (last === undefined) return { count, sum };
    after = keyOf(table, last);
    await advance(rows.length);
    await yieldToEventLoop();
  }
}
