import type { Kysely } from 'kysely';

/** Which migration a program has to know of, to use the database as it is; told by the newest program. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('cognomen_migrations_needed')
    .addColumn('name', 'text', (column) => column.primaryKey().notNull())
    .execute();
}
