import type { Kysely } from 'kysely';

/** Who is sending for a session, the code under way, and the wrong guesses there were before it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const columns = [
    ['sending_by', 'text'],
    ['sending_code', 'text'],
    ['sending_code_ts', 'bigint'],
    ['guesses_before', 'integer'],
  ] as const;
  for (const [name, type] of columns) {
    await db.schema.alterTable('cognomen_sessions').addColumn(name, type).execute();
  }
}
