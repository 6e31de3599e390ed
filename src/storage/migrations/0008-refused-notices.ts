import { type Kysely, sql } from 'kysely';

/** What this reads and writes, as it is then. */
interface Tables {
  cognomen_notices: { id: number; association: string; address: string };
}

const BATCH = 500;

/** Whose address a notice is of, and since when its homeserver refuses it. */
export async function up(db: Kysely<Tables>): Promise<void> {
  await db.schema
    .alterTable('cognomen_notices')
    .addColumn('address', 'text', (column) => column.notNull().defaultTo(''))
    .execute();
  await db.schema.alterTable('cognomen_notices').addColumn('refused_ts', 'bigint').execute();
  await db.schema
    .alterTable('cognomen_notice_servers')
    .addColumn('refused_due_ts', 'bigint', (column) => column.notNull().defaultTo(0))
    .execute();
  await noteAddresses(db);

  await db.schema
    .createIndex('cognomen_notices_address')
    .on('cognomen_notices')
    .columns(['address'])
    .execute();
  await db.schema.dropIndex('cognomen_notices_next').execute();
  await db.schema.dropIndex('cognomen_notices_created').execute();
  await sql`create index cognomen_notices_next on cognomen_notices (server_name, next_attempt_ts)
    where refused_ts is null`.execute(db);
  await sql`create index cognomen_notices_created on cognomen_notices (created_ts)
    where refused_ts is null`.execute(db);
  await sql`create index cognomen_notices_refused on cognomen_notices (server_name, next_attempt_ts)
    where refused_ts is not null`.execute(db);
}

/** Some at a time, as there can be many. */
async function noteAddresses(db: Kysely<Tables>): Promise<void> {
  for (let after = -1; ; ) {
    const rows = await db
      .selectFrom('cognomen_notices')
      .select(['id', 'association'])
      .where('id', '>', after)
      .orderBy('id')
      .limit(BATCH)
      .execute();
    for (const { id, association } of rows) {
      const { address } = JSON.parse(association) as { address: string };
      await db.updateTable('cognomen_notices').set({ address }).where('id', '=', id).execute();
    }
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.id;
  }
}
