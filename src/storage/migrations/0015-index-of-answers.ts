import { type Kysely, sql } from 'kysely';

/**
 * On SQLite, all that a lookup by hash answers, close together: rows of the table are ten times as long. On PostgreSQL an
 * entry of an index has a longest length, and a user id has none.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create index cognomen_answers on global_threepid_associations
    (id, mxid, ts, notBefore, notAfter)`.execute(db);
}
