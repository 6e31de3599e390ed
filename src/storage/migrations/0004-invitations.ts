import { type Kysely, sql } from 'kysely';

/** What invitations and the notices owed to homeservers keep beside Sydent's tables. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('cognomen_invite_keys')
    .addColumn('public_key', 'text', (column) => column.primaryKey().notNull())
    .addColumn('token', 'text', (column) => column.notNull().unique())
    .addColumn('valid_until', 'bigint')
    .execute();
  await index(db, 'cognomen_invite_keys_until', 'cognomen_invite_keys', ['valid_until']);

  // An old Sydent stored addresses in the case they came in.
  await sql`create index cognomen_invite_tokens_address on invite_tokens (medium, lower(address))`.execute(
    db,
  );
  await sql`create index cognomen_invite_tokens_pending on invite_tokens (received_ts)
    where sent_ts is null`.execute(db);

  await db.schema
    .createTable('cognomen_notices')
    .addColumn('id', 'bigint', (column) => column.primaryKey().notNull())
    .addColumn('server_name', 'text', (column) => column.notNull())
    .addColumn('association', 'text', (column) => column.notNull())
    .addColumn('created_ts', 'bigint', (column) => column.notNull())
    .addColumn('attempts', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('next_attempt_ts', 'bigint', (column) => column.notNull())
    .execute();
  await index(db, 'cognomen_notices_next', 'cognomen_notices', ['server_name', 'next_attempt_ts']);
  await index(db, 'cognomen_notices_age', 'cognomen_notices', ['server_name', 'created_ts']);
  await index(db, 'cognomen_notices_created', 'cognomen_notices', ['created_ts']);

  await db.schema
    .createTable('cognomen_notice_invites')
    .addColumn('token', 'text', (column) => column.primaryKey().notNull())
    .addColumn('notice_id', 'bigint', (column) => column.notNull())
    .execute();
  await index(db, 'cognomen_notice_invites_notice', 'cognomen_notice_invites', ['notice_id']);

  await db.schema
    .createTable('cognomen_notice_servers')
    .addColumn('server_name', 'text', (column) => column.primaryKey().notNull())
    .addColumn('failures', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('troubled', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('due_ts', 'bigint', (column) => column.notNull())
    .addColumn('claimed_by', 'text')
    .execute();
  await index(db, 'cognomen_notice_servers_due', 'cognomen_notice_servers', ['troubled', 'due_ts']);
}

async function index(db: Kysely<unknown>, name: string, table: string, columns: string[]) {
  await db.schema.createIndex(name).on(table).columns(columns).execute();
}
