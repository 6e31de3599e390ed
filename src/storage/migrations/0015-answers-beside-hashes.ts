import { type Kysely, sql } from 'kysely';

const ANSWER = {
  mxid: 'mxid',
  ts: 'ts',
  not_before: '"notBefore"',
  not_after: '"notAfter"',
};

/** What a lookup answers stands beside the hash that it asks for. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const name of Object.keys(ANSWER)) {
    const type = name === 'mxid' ? 'text' : 'bigint';
    await sql`alter table cognomen_lookup_keys add column ${sql.ref(name)} ${sql.raw(type)}`.execute(
      db,
    );
  }
  const values = Object.entries(ANSWER).map(([name, column]) => `${name} = g.${column}`);
  await sql
    .raw(
      `update cognomen_lookup_keys set ${values.join(', ')}
       from global_threepid_associations as g where g.id = cognomen_lookup_keys.global_id`,
    )
    .execute(db);
}
