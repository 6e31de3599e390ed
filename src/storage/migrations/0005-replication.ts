import { type Kysely, sql } from 'kysely';

/** What replication keeps beside Sydent's tables. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('cognomen_peers')
    .addColumn('name', 'text', (column) => column.primaryKey().notNull())
    .addColumn('url', 'text')
    .addColumn('last_failure', 'text')
    .addColumn('last_failure_ts', 'bigint')
    .addColumn('claimed_by', 'text')
    .addColumn('claimed_until', 'bigint')
    .execute();

  await db.schema
    .createTable('cognomen_refused_associations')
    .addColumn('peer', 'text', (column) => column.notNull())
    .addColumn('association_id', 'bigint', (column) => column.notNull())
    .addColumn('since_ts', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('cognomen_refused_associations_pk', ['peer', 'association_id'])
    .execute();

  await db.schema
    .createTable('cognomen_received_deletions')
    .addColumn('origin_server', 'text', (column) => column.notNull())
    .addColumn('medium', 'text', (column) => column.notNull())
    .addColumn('address', 'text', (column) => column.notNull())
    .addColumn('origin_id', 'bigint', (column) => column.notNull())
    .addColumn('received_ts', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('cognomen_received_deletions_pk', [
      'origin_server',
      'address',
      'medium',
    ])
    .execute();
  await db.schema
    .createIndex('cognomen_received_deletions_ts')
    .on('cognomen_received_deletions')
    .columns(['received_ts'])
    .execute();

  // Deletions in the log are few among many: pruning goes straight to them.
  await sql`create index cognomen_log_deletions on local_threepid_associations (id) where mxid is null`.execute(
    db,
  );
}
