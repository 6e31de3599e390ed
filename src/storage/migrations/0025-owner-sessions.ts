import type { Kysely } from 'kysely';

/** Which addresses a browser has proven on the owners' page, or is about to. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('cognomen_owner_sessions')
    .addColumn('browser', 'text', (column) => column.notNull())
    .addColumn('medium', 'text', (column) => column.notNull())
    .addColumn('address', 'text', (column) => column.notNull())
    .addColumn('sid', 'bigint', (column) => column.notNull())
    .addColumn('proven_ts', 'bigint')
    .addColumn('expires_ts', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('cognomen_owner_sessions_key', ['browser', 'medium', 'address'])
    .execute();
  await db.schema
    .createIndex('cognomen_owner_sessions_address')
    .on('cognomen_owner_sessions')
    .column('address')
    .execute();
  await db.schema
    .createIndex('cognomen_owner_sessions_expires')
    .on('cognomen_owner_sessions')
    .column('expires_ts')
    .execute();
}
