import { type Kysely, sql } from 'kysely';

/**
 * The buckets of rate limits, on PostgreSQL, where several nodes share them. Not logged: nothing waits for the disk, and
 * after a crash of the database they are empty. Room in each page, as rows change in place.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create unlogged table cognomen_buckets (
    key text primary key,
    empty_at double precision not null,
    granted double precision not null,
    asked double precision[] not null
  ) with (fillfactor = 50)`.execute(db);
}
