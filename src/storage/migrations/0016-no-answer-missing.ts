import { type Kysely, sql } from 'kysely';

/**
 * On PostgreSQL, where an earlier version may still run beside this one: what it would write without the answer, so that
 * no lookup found it, is refused.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  // Of associations that are gone.
  await sql`delete from cognomen_lookup_keys where ts is null`.execute(db);
  for (const name of ['mxid', 'ts', 'not_before', 'not_after']) {
    await sql`alter table cognomen_lookup_keys alter column ${sql.ref(name)} set not null`.execute(
      db,
    );
  }
}
