import { sql } from 'kysely';
import { type LookupPeppers, readPeppers } from '../../model/lookup-peppers.ts';
import type { Db, Engine } from '../engines/engine.ts';
import type { PepperStore, RotatedHash } from '../stores/index.ts';
import { prepare } from './prepared.ts';
import { PEPPERS } from './queries/rotated-keys.ts';

const pairsOf = (hashes: readonly RotatedHash[]) =>
  JSON.stringify(hashes.map(({ hash, id }) => [hash, id]));

export function pepperStore(engine: Engine): (db: Db) => PepperStore {
  const read = prepare<object, { value: string }>(engine, (db) =>
    db.selectFrom('cognomen_state').select('value').where('key', '=', PEPPERS),
  );
  const add = prepare<{ number: number; pairs: string }, unknown>(engine, (db, slot) => ({
    compile: () =>
      sql`insert into cognomen_rotated_keys (pepper, lookup_hash, global_id)
        select cast(${slot('number')} as integer), value ->> 0, cast(value ->> 1 as bigint)
        from ${engine.members(slot('pairs'))}
        where exists (select 1 from cognomen_lookup_keys as lookup
          where lookup.global_id = cast(value ->> 1 as bigint))
        on conflict do nothing`.compile(db),
  }));

  return (db) => {
    const hashesOf = (number: number) =>
      db
        .selectFrom('cognomen_rotated_keys')
        .select(['global_id as id', 'lookup_hash as hash'])
        .where('pepper', '=', number)
        .orderBy('lookup_hash')
        .orderBy('global_id');
    const keys = () =>
      db
        .selectFrom('cognomen_lookup_keys as lookup')
        .innerJoin('global_threepid_associations as global', 'global.id', 'lookup.global_id')
        .select(['lookup.global_id as id', 'lookup.spelling', 'global.medium'])
        .orderBy('lookup.global_id');

    return {
      async read() {
        const [row] = await read(db, {});
        return readPeppers(row?.value);
      },

      async hasOlderPrograms() {
        if (!engine.isRemote) return false;
        const { rows } = await sql`select 1 from pg_stat_activity
          where datname = current_database() and application_name = 'cognomen' limit 1`.execute(db);
        return rows.length > 0;
      },

      async write(peppers: LookupPeppers) {
        const value = JSON.stringify(peppers);
        await db
          .insertInto('cognomen_state')
          .values({ key: PEPPERS, value })
          .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
          .execute();
      },

      // Two reads, each along an index whatever the planner knows: joined, it may begin at the first association each time.
      async keysBehind(id, limit) {
        const spellings = db
          .selectFrom('cognomen_lookup_keys')
          .select(['global_id as id', 'spelling'])
          .orderBy('global_id');
        const some = await spellings.where('global_id', '>', id).limit(limit).execute();
        const [first, last] = [some[0]?.id, some.at(-1)?.id];
        if (first === undefined || last === undefined) return undefined;
        // Of the last one there may be more.
        const rest = await spellings.where('global_id', '=', last).execute();
        const rows = await db
          .selectFrom('global_threepid_associations')
          .select(['id', 'medium'])
          .where('id', '>=', first)
          .where('id', '<=', last)
          .execute();
        const media = new Map(rows.map((row) => [row.id, row.medium]));
        const all = [...some.filter((key) => key.id !== last), ...rest];
        return {
          last,
          keys: all.flatMap((key) => {
            const medium = media.get(key.id);
            return medium === undefined ? [] : [{ ...key, medium }];
          }),
        };
      },

      async keysOf(ids) {
        if (ids.length === 0) return [];
        return keys().where('lookup.global_id', 'in', ids).execute();
      },

      async lastId() {
        const row = await db
          .selectFrom('cognomen_lookup_keys')
          .select((select) => select.fn.max('global_id').as('id'))
          .executeTakeFirst();
        return row?.id ?? 0;
      },

      async add(number, hashes) {
        await add(db, { number, pairs: pairsOf(hashes) });
      },

      async deleteBehind(number, hash, limit) {
        const found = await hashesOf(number).where('lookup_hash', '>', hash).limit(limit).execute();
        const last = found.at(-1)?.hash;
        if (last === undefined) return undefined;
        await db
          .deleteFrom('cognomen_rotated_keys')
          .where('pepper', '=', number)
          .where('lookup_hash', '>', hash)
          .where('lookup_hash', '<=', last)
          .execute();
        return last;
      },

      async missing(number, hashes) {
        if (hashes.length === 0) return [];
        const { rows } = await sql<RotatedHash>`
          select value ->> 0 as hash, cast(value ->> 1 as bigint) as id
          from ${engine.members(sql`${pairsOf(hashes)}`)}
          where not exists (select 1 from cognomen_rotated_keys as rotated
            where rotated.pepper = ${number} and rotated.lookup_hash = value ->> 0
              and rotated.global_id = cast(value ->> 1 as bigint))`.execute(db);
        return rows;
      },

      async hashesBehind(number, after, limit) {
        const some = await hashesOf(number).where('lookup_hash', '>', after).limit(limit).execute();
        const last = some.at(-1)?.hash;
        if (some.length < limit || last === undefined) return some;
        // The last may have been cut off.
        const rest = await hashesOf(number).where('lookup_hash', '=', last).execute();
        return [...some.filter(({ hash }) => hash !== last), ...rest];
      },

      async delete(number, hashes) {
        for (const { hash, id } of hashes) {
          await db
            .deleteFrom('cognomen_rotated_keys')
            .where('pepper', '=', number)
            .where('lookup_hash', '=', hash)
            .where('global_id', '=', id)
            .execute();
        }
      },
    };
  };
}
