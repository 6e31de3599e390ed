import type { Kysely } from 'kysely';

/** Why a homeserver did not take what it is owed, the last time; an older version leaves what is there. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('cognomen_notice_servers').addColumn('failure', 'text').execute();
  await db.schema.alterTable('cognomen_notice_servers').addColumn('failed_ts', 'bigint').execute();
}
