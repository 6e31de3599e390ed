import { type Kysely, sql } from 'kysely';

/** Whose invitations are pending, to be counted from now on; and how often a session has bound. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const columns = [
    ['address', 'text'],
    ['sender', 'text'],
    ['is_v1', 'integer'],
    ['received_ts', 'bigint'],
  ] as const;
  for (const [name, type] of columns) {
    await db.schema.alterTable('cognomen_invite_keys').addColumn(name, type).execute();
  }
  await sql`create index cognomen_invite_keys_address
    on cognomen_invite_keys (address, is_v1, received_ts) where valid_until is null`.execute(db);
  await sql`create index cognomen_invite_keys_sender
    on cognomen_invite_keys (sender, is_v1, received_ts) where valid_until is null`.execute(db);

  await db.schema
    .alterTable('cognomen_sessions')
    .addColumn('binds', 'integer', (column) => column.notNull().defaultTo(0))
    .execute();
}
