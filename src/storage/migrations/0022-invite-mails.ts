import type { Kysely } from 'kysely';

/** What the mails of pending invitations say, to be sent once more. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('cognomen_invite_mails')
    .addColumn('token', 'text', (column) => column.primaryKey().notNull())
    .addColumn('shown', 'text', (column) => column.notNull())
    .addColumn('sealed', 'text', (column) => column.notNull())
    .addColumn('resent', 'text', (column) => column.notNull().defaultTo('[]'))
    .execute();
}
