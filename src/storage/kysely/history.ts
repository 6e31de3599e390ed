import { sql } from 'kysely';
import type { Db } from '../engines/engine.ts';
import type { HistoryRow, HistoryStore } from '../stores/index.ts';

const TABLE = 'cognomen_history';

const keyOf = ({ hour, metric }: HistoryRow) => `${hour} ${metric}`;

/** In one order everywhere: who adds up the same at once waits, and not in a circle. */
const inOrder = (rows: readonly HistoryRow[]) =>
  rows.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));

export function historyStore(db: Db): HistoryStore {
  async function write(rows: readonly HistoryRow[], isSum: boolean): Promise<void> {
    if (rows.length === 0) return;
    const value = isSum
      ? sql<number>`${sql.ref(`${TABLE}.value`)} + excluded.value`
      : sql<number>`excluded.value`;
    await db
      .insertInto(TABLE)
      .values(inOrder(rows))
      .onConflict((conflict) => conflict.columns(['hour', 'metric']).doUpdateSet({ value }))
      .execute();
  }

  return {
    add: (rows) => write(rows, true),
    put: (rows) => write(rows, false),

    between: (from, to) =>
      db
        .selectFrom(TABLE)
        .selectAll()
        .where('hour', '>=', from)
        .where('hour', '<', to)
        .orderBy('hour')
        .orderBy('metric')
        .execute(),

    async deleteBefore(hour) {
      const { numDeletedRows } = await db
        .deleteFrom(TABLE)
        .where('hour', '<', hour)
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}
