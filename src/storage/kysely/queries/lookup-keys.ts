import { type DeleteQueryBuilder, type DeleteResult, sql } from 'kysely';
import type { Db, Engine } from '../../engines/engine.ts';
import type { KeysOfAssociation } from '../../stores/index.ts';
import { prepare } from '../prepared.ts';
import type { Schema } from '../schema.ts';
import { portions } from './portions.ts';
import { peppersNow, type RotatedKeys, rotatedKeys } from './rotated-keys.ts';

/** Writes the keys of associations, and with them their hashes by each pepper there is. To be used under the log's lock. */
export interface KeyWriter {
  /** Adds those keys that are not there yet; how many were added. */
  insert(db: Db, all: readonly KeysOfAssociation[]): Promise<number>;
  /** Deletes associations that lookups answer, with their keys. */
  deleteAssociations(db: Db, ids: readonly number[]): Promise<void>;
  /** Deletes those keys that the query chooses. */
  deleteKeys(db: Db, choose: (query: KeyDeletion) => KeyDeletion): Promise<void>;
}

type KeyDeletion = DeleteQueryBuilder<Schema, 'cognomen_lookup_keys', DeleteResult>;

interface ChangedKey {
  readonly id: number;
  readonly spelling: string;
  readonly peppers: string | null;
}

/** Of an association that is gone nobody knows which it was of. */
const MEDIA = ['email', 'msisdn'];

export function keyWriter(engine: Engine): KeyWriter {
  const rotated = rotatedKeys(engine);
  const insert = prepare<{ keys: string }, ChangedKey>(engine, (db, slot) => ({
    compile: () =>
      sql<ChangedKey>`insert into "cognomen_lookup_keys"
        (global_id, spelling, lookup_hash)
        select cast(value ->> 0 as bigint), value ->> 1, value ->> 2
        from ${engine.members(slot('keys'))} where true
        on conflict do nothing
        returning global_id as id, spelling, ${peppersNow()} as peppers`.compile(db),
  }));

  const remove = (db: Db, choose: (query: KeyDeletion) => KeyDeletion): Promise<ChangedKey[]> =>
    choose(db.deleteFrom('cognomen_lookup_keys'))
      .returning(['global_id as id', 'spelling', peppersNow().as('peppers')])
      .execute();

  return {
    async insert(db, all) {
      if (all.length === 0) return 0;
      const rows = all.flatMap(({ id, keys }) =>
        keys.map(({ spelling, lookupHash }) => [id, spelling, lookupHash]),
      );
      const inserted = await insert(db, { keys: JSON.stringify(rows) });
      await apply(rotated.insert, db, inserted, new Map(all.map((each) => [each.id, each.medium])));
      return inserted.length;
    },

    async deleteAssociations(db, ids) {
      for (const portion of portions(ids)) {
        const keys = await remove(db, (query) => query.where('global_id', 'in', portion));
        const associations = await db
          .deleteFrom('global_threepid_associations')
          .where('id', 'in', portion)
          .returning(['id', 'medium'])
          .execute();
        await apply(
          rotated.delete,
          db,
          keys,
          new Map(associations.map(({ id, medium }) => [id, medium])),
        );
      }
    },

    async deleteKeys(db, choose) {
      await apply(rotated.delete, db, await remove(db, choose), new Map());
    },
  };
}

async function apply(
  change: RotatedKeys['insert'],
  db: Db,
  keys: readonly ChangedKey[],
  media: ReadonlyMap<number, string>,
): Promise<void> {
  const all = keys.map(({ id, spelling }) => {
    const medium = media.get(id);
    return { id, spelling, media: medium === undefined ? MEDIA : [medium] };
  });
  await change(db, keys[0]?.peppers, all);
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
