import type { Kysely } from 'kysely';

/** How much there was of what, hour by hour: some rows an hour, of the last weeks. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('cognomen_history')
    .addColumn('hour', 'bigint', (column) => column.notNull())
    .addColumn('metric', 'text', (column) => column.notNull())
    .addColumn('value', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('cognomen_history_pkey', ['hour', 'metric'])
    .execute();
}
