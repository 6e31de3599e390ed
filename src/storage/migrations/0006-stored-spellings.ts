import { type Kysely, sql } from 'kysely';

/**
 * Of associations taken over so far only the folded spelling is among the keys of lookups. The step that makes
 * keys (identity/adoption/lookup-keys.ts) begins anew, and goes through them in pieces, as there may be millions.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`delete from cognomen_state where key = 'index_position'`.execute(db);
}
