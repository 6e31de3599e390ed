import type { Kysely } from 'kysely';

/** What owners of addresses are to be told by mail, and which mails of the last day say so. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('cognomen_owner_notices')
    .addColumn('address', 'text', (column) => column.primaryKey().notNull())
    .addColumn('mailbox', 'text', (column) => column.notNull())
    .addColumn('mxid', 'text', (column) => column.notNull())
    .addColumn('new_mxid', 'text')
    .addColumn('homeserver', 'text')
    .addColumn('changes', 'integer', (column) => column.notNull())
    .addColumn('since_ts', 'bigint', (column) => column.notNull())
    .addColumn('changed_ts', 'bigint', (column) => column.notNull())
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('due_ts', 'bigint', (column) => column.notNull())
    .addColumn('claimed_by', 'text')
    .execute();
  for (const column of ['mailbox', 'mxid', 'new_mxid', 'changed_ts', 'due_ts']) {
    await db.schema
      .createIndex(`cognomen_owner_notices_${column}`)
      .on('cognomen_owner_notices')
      .column(column)
      .execute();
  }
  await db.schema
    .createTable('cognomen_owner_notice_mails')
    .addColumn('mailbox', 'text', (column) => column.notNull())
    .addColumn('place', 'integer', (column) => column.notNull())
    .addColumn('sent_ts', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('cognomen_owner_notice_mails_key', ['mailbox', 'place'])
    .execute();
  await db.schema
    .createIndex('cognomen_owner_notice_mails_sent')
    .on('cognomen_owner_notice_mails')
    .column('sent_ts')
    .execute();
}
