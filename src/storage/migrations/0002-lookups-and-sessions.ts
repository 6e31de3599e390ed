import type { Kysely } from 'kysely';

/** What lookups and validation sessions keep beside Sydent's tables. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('cognomen_state')
    .addColumn('key', 'text', (column) => column.primaryKey().notNull())
    .addColumn('value', 'text', (column) => column.notNull())
    .execute();

  await db.schema
    .createTable('cognomen_lookup_keys')
    .addColumn('global_id', 'bigint', (column) => column.notNull())
    .addColumn('spelling', 'text', (column) => column.notNull())
    .addColumn('lookup_hash', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('cognomen_lookup_keys_pk', ['global_id', 'spelling'])
    .execute();
  // With the association in them, the indexes alone lead to it.
  const keys = 'cognomen_lookup_keys';
  await index(db, 'cognomen_lookup_keys_spelling', keys, ['spelling', 'global_id']);
  await index(db, 'cognomen_lookup_keys_hash', keys, ['lookup_hash', 'global_id']);

  await db.schema
    .createTable('cognomen_sessions')
    .addColumn('session_id', 'bigint', (column) => column.primaryKey().notNull())
    .addColumn('medium', 'text', (column) => column.notNull())
    .addColumn('address', 'text', (column) => column.notNull())
    .addColumn('client_secret', 'text')
    .addColumn('next_link', 'text')
    .addColumn('sent_attempt', 'bigint', (column) => column.notNull().defaultTo(-1))
    .addColumn('sending_attempt', 'bigint')
    .addColumn('sending_until', 'bigint')
    .addColumn('wrong_guesses', 'integer', (column) => column.notNull().defaultTo(0))
    .addUniqueConstraint('cognomen_sessions_current', ['medium', 'address', 'client_secret'])
    .execute();

  await db.schema
    .createTable('cognomen_session_codes')
    .addColumn('session_id', 'bigint', (column) => column.notNull())
    .addColumn('code', 'text', (column) => column.notNull())
    .addColumn('created_ts', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('cognomen_session_codes_pk', ['session_id', 'code'])
    .execute();
  // Sydent has no index to find a session's codes by.
  await index(db, 'cognomen_token_auths_session', 'threepid_token_auths', ['validationSession']);
}

async function index(db: Kysely<unknown>, name: string, table: string, columns: string[]) {
  await db.schema.createIndex(name).on(table).columns(columns).execute();
}
