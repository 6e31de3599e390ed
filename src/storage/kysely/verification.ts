import type { Db, Engine } from '../engines/engine.ts';
import type { StoredAssociation, VerificationStore } from '../stores/index.ts';
import { type KeyWriter, keysBehind } from './queries/lookup-keys.ts';

const COLUMNS = [
  'id',
  'medium',
  'address',
  'mxid',
  'ts',
  'notBefore',
  'notAfter',
  'originServer',
  'sgAssoc as signedJson',
] as const;

export function verificationStore(engine: Engine, db: Db, keyWriter: KeyWriter): VerificationStore {
  const associations = () =>
    db.selectFrom('global_threepid_associations').select(COLUMNS).orderBy('id');

  async function withKeys(rows: readonly Omit<StoredAssociation, 'keys'>[]) {
    if (rows.length === 0) return [];
    const ids = rows.map(({ id }) => id);
    const keys = await db
      .selectFrom('cognomen_lookup_keys')
      .select(['global_id', 'spelling', 'lookup_hash as lookupHash'])
      .where('global_id', 'in', ids)
      .execute();
    const byId = Map.groupBy(keys, (key) => key.global_id);
    return rows.map((row) => ({ ...row, keys: byId.get(row.id) ?? [] }));
  }

  const orphaned = () =>
    db
      .selectFrom('cognomen_lookup_keys as lookup')
      .select('lookup.global_id')
      .distinct()
      .where((where) =>
        where.not(
          where.exists(
            where
              .selectFrom('global_threepid_associations as global')
              .select('global.id')
              .whereRef('global.id', '=', 'lookup.global_id'),
          ),
        ),
      );

  return {
    fileFaults: async (limit) => engine.fileFaults(limit),

    async pepper() {
      const row = await db
        .selectFrom('hashing_metadata')
        .select('lookup_pepper')
        .limit(1)
        .executeTakeFirst();
      return row?.lookup_pepper ?? undefined;
    },

    async associationsAfter(id, limit) {
      return withKeys(await associations().where('id', '>', id).limit(limit).execute());
    },

    async associations(ids) {
      if (ids.length === 0) return [];
      return withKeys(await associations().where('id', 'in', ids).execute());
    },

    async keysAfter(id, limit) {
      const keys = await keysBehind(db, id, limit);
      if (keys === undefined) return undefined;
      const { last, count } = keys;
      const rows = await orphaned()
        .where('lookup.global_id', '>', id)
        .where('lookup.global_id', '<=', last)
        .execute();
      return { last, keys: count, orphaned: rows.map((row) => row.global_id) };
    },

    async orphanedAmong(ids) {
      if (ids.length === 0) return [];
      const rows = await orphaned().where('lookup.global_id', 'in', ids).execute();
      return rows.map((row) => row.global_id);
    },

    async deleteKeysOf(ids) {
      if (ids.length === 0) return;
      await keyWriter.deleteKeys(db, (query) => query.where('global_id', 'in', ids));
    },

    async deleteKey(id, spelling) {
      await keyWriter.deleteKeys(db, (query) =>
        query.where('global_id', '=', id).where('spelling', '=', spelling),
      );
    },
  };
}
