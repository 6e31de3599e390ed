import type { Db } from '../../engines/engine.ts';
import type { KeysOfAssociation } from '../../stores/index.ts';
import { portions } from './portions.ts';

/** Adds those keys that are not there yet; how many were added. */
export async function insertKeys(db: Db, all: readonly KeysOfAssociation[]): Promise<number> {
  const rows = all.flatMap(({ id, keys }) =>
    keys.map((key) => ({ global_id: id, spelling: key.spelling, lookup_hash: key.lookupHash })),
  );
  let added = 0;
  for (const portion of portions(rows)) {
    const result = await db
      .insertInto('cognomen_lookup_keys')
      .values(portion)
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    added += Number(result.numInsertedOrUpdatedRows ?? 0);
  }
  return added;
}

/** Deletes associations that lookups answer, with their keys. */
export async function deleteAssociations(db: Db, ids: readonly number[]): Promise<void> {
  for (const portion of portions(ids)) {
    await db.deleteFrom('cognomen_lookup_keys').where('global_id', 'in', portion).execute();
    await db.deleteFrom('global_threepid_associations').where('id', 'in', portion).execute();
  }
}
