import { sql } from 'kysely';
import type { Db, Engine } from '../../engines/engine.ts';
import type { KeysOfAssociation } from '../../stores/index.ts';
import { prepare } from '../prepared.ts';
import { portions } from './portions.ts';

export type InsertKeys = (db: Db, all: readonly KeysOfAssociation[]) => Promise<number>;

/** Adds those keys that are not there yet; how many were added. */
export function keyInserter(engine: Engine): InsertKeys {
  const insert = prepare<{ keys: string }, unknown>(engine, (db, slot) => ({
    compile: () =>
      sql`insert into "cognomen_lookup_keys"
        (global_id, spelling, lookup_hash)
        select cast(value ->> 0 as bigint), value ->> 1, value ->> 2
        from ${engine.members(slot('keys'))} where true
        on conflict do nothing
        returning global_id`.compile(db),
  }));
  return async (db, all) => {
    if (all.length === 0) return 0;
    const rows = all.flatMap(({ id, keys }) =>
      keys.map(({ spelling, lookupHash }) => [id, spelling, lookupHash]),
    );
    return (await insert(db, { keys: JSON.stringify(rows) })).length;
  };
}

/** The association of the last of so many keys behind that one's, and how many they are; undefined when there are none. */
export async function keysBehind(
  db: Db,
  id: number,
  limit: number,
): Promise<{ readonly last: number; readonly count: number } | undefined> {
  const keys = await db
    .selectFrom('cognomen_lookup_keys')
    .select('global_id')
    .where('global_id', '>', id)
    .orderBy('global_id')
    .limit(limit)
    .execute();
  const last = keys.at(-1)?.global_id;
  return last === undefined ? undefined : { last, count: keys.length };
}

/** Deletes associations that lookups answer, with their keys. */
export async function deleteAssociations(db: Db, ids: readonly number[]): Promise<void> {
  for (const portion of portions(ids)) {
    await db.deleteFrom('cognomen_lookup_keys').where('global_id', 'in', portion).execute();
    await db.deleteFrom('global_threepid_associations').where('id', 'in', portion).execute();
  }
}
