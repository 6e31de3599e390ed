import type { Kysely } from 'kysely';

/** What access tokens have beside Sydent's row. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('cognomen_tokens')
    .addColumn('token', 'text', (column) => column.primaryKey().notNull())
    .addColumn('last_used_ts', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex('cognomen_tokens_last_used')
    .on('cognomen_tokens')
    .columns(['last_used_ts'])
    .execute();
}
