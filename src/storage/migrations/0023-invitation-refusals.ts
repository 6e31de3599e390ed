import type { Kysely } from 'kysely';

/** Whose owners want no invitations mailed to them, as hashes. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('cognomen_invitation_refusals')
    .addColumn('mailbox_hash', 'text', (column) => column.primaryKey().notNull())
    .addColumn('refused_ts', 'bigint', (column) => column.notNull())
    .execute();
}
