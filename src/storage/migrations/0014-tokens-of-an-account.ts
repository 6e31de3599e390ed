import type { Kysely } from 'kysely';

/** The way to an account's tokens: an account has only so many. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createIndex('cognomen_tokens_of_account')
    .on('tokens')
    .columns(['user_id'])
    .execute();
}
