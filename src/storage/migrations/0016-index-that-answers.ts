import { type Kysely, sql } from 'kysely';

/**
 * On SQLite, the index by hash holds all that a lookup answers: the table beside it is not read. On PostgreSQL it does
 * not, as an entry of an index there has a longest length, and a user id has none.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`drop index cognomen_lookup_keys_hash`.execute(db);
  await sql`create index cognomen_lookup_keys_hash on cognomen_lookup_keys
    (lookup_hash, global_id, mxid, ts, not_before, not_after)`.execute(db);
}
