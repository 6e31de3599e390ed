import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/**
 * What two versions need that use a database at once: which migration a program has to know of, as the newest program
 * says; and, on PostgreSQL, hashes by rotated peppers, written and deleted for programs that do not know of them. Those
 * call themselves `cognomen`, and are the only ones that the triggers cost something.
 */
export const twoVersions = (engine: 'sqlite' | 'postgres'): Migration => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('cognomen_migrations_needed')
      .addColumn('name', 'text', (column) => column.primaryKey().notNull())
      .execute();
    if (engine === 'postgres') await writeRotatedKeys(db);
  },
});

async function writeRotatedKeys(db: Kysely<unknown>): Promise<void> {
  await sql`create function cognomen_rotated_hashes(spelling text, medium text)
    returns table (pepper integer, lookup_hash text) stable language sql as $$
      select (each ->> 'number')::integer, rtrim(translate(encode(sha256(convert_to(
        spelling || ' ' || medium || ' ' || (each ->> 'pepper'), 'UTF8')), 'base64'), '+/', '-_'), '=')
      from (select value::json as known from cognomen_state where key = 'lookup_peppers') as peppers
      cross join lateral (
        select known -> 'current' union all select known -> 'next'
        union all select json_array_elements(known -> 'former')) as all_of_them(each)
      where each ->> 'pepper' is not null
    $$`.execute(db);
  await sql`create function cognomen_write_rotated_keys() returns trigger language plpgsql as $$
    begin
      if tg_op = 'INSERT' then
        insert into cognomen_rotated_keys (pepper, lookup_hash, global_id)
          select hashes.pepper, hashes.lookup_hash, new.global_id
          from global_threepid_associations as association
          cross join lateral cognomen_rotated_hashes(new.spelling, association.medium) as hashes
          where association.id = new.global_id
          on conflict do nothing;
      else
        -- Nobody knows any more which medium the association had.
        delete from cognomen_rotated_keys as rotated
          using unnest(array['email', 'msisdn']) as media (medium)
          cross join lateral cognomen_rotated_hashes(old.spelling, medium) as hashes
          where rotated.pepper = hashes.pepper and rotated.lookup_hash = hashes.lookup_hash
            and rotated.global_id = old.global_id;
      end if;
      return null;
    end $$`.execute(db);
  await sql`create trigger cognomen_write_rotated_keys
    after insert or delete on cognomen_lookup_keys for each row
    when (current_setting('application_name') = 'cognomen')
    execute function cognomen_write_rotated_keys()`.execute(db);
}
