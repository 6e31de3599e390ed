import { type Kysely, sql } from 'kysely';

/** Who was erased, as hashes, and the ways to what is kept of a person. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('cognomen_erased')
    .addColumn('name_hash', 'text', (column) => column.primaryKey().notNull())
    .addColumn('erased_ts', 'bigint', (column) => column.notNull())
    .addColumn('log_id', 'bigint')
    .execute();
  await sql`create index cognomen_erased_tombstones on cognomen_erased (log_id)
    where log_id is not null`.execute(db);
  await index(db, 'cognomen_invite_tokens_sender', 'invite_tokens', 'sender');
  await index(db, 'cognomen_invite_keys_of_address', 'cognomen_invite_keys', 'address');
  await index(db, 'cognomen_invite_keys_of_sender', 'cognomen_invite_keys', 'sender');
  await index(db, 'cognomen_received_deletions_address', 'cognomen_received_deletions', 'address');
}

async function index(db: Kysely<unknown>, name: string, table: string, column: string) {
  await db.schema.createIndex(name).on(table).columns([column]).execute();
}
