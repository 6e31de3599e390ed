import type { Kysely } from 'kysely';

/** The keys by which the log names client networks, one a week. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('cognomen_network_keys')
    .addColumn('week', 'integer', (column) => column.primaryKey().notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    .execute();
}
