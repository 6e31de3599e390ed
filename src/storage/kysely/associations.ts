import type { Db, Engine } from '../engines/engine.ts';
import type { AssociationStore, StoredLocalAssociation } from '../stores/index.ts';
import { knownOfAddress } from './queries/known-of-address.ts';
import { deleteAssociations, insertKeys } from './queries/lookup-keys.ts';

export function associationStore(engine: Engine, db: Db): AssociationStore {
  return {
    known: (threepid, serverName, invites) =>
      knownOfAddress(engine, db, { ...threepid, serverName, invites }),

    async appendToLog(entry, replaced) {
      const ids = replaced.map(({ id }) => id);
      if (ids.length > 0) {
        await db.deleteFrom('local_threepid_associations').where('id', 'in', ids).execute();
      }
      const { id } = await db
        .insertInto('local_threepid_associations')
        .values({
          medium: entry.medium,
          address: entry.address,
          mxid: entry.mxid ?? null,
          ts: entry.ts,
          notBefore: entry.notBefore ?? null,
          notAfter: entry.notAfter ?? null,
          lookup_hash: entry.lookupHash ?? null,
        })
        .returning('id')
        .executeTakeFirstOrThrow();
      return id;
    },

    async logAfter(id, limit) {
      const rows = await db
        .selectFrom('local_threepid_associations')
        .selectAll()
        .where('id', '>', id)
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map(toLocalAssociation);
    },

    async logEntries(ids) {
      if (ids.length === 0) return [];
      const rows = await db
        .selectFrom('local_threepid_associations')
        .selectAll()
        .where('id', 'in', ids)
        .execute();
      return rows.map(toLocalAssociation);
    },

    async publish(association, keys) {
      const row = await db
        .insertInto('global_threepid_associations')
        .values({
          medium: association.medium,
          address: association.address,
          mxid: association.mxid,
          ts: association.ts,
          notBefore: association.notBefore,
          notAfter: association.notAfter,
          originServer: association.originServer,
          originId: association.originId,
          sgAssoc: association.signedJson,
          lookup_hash: association.lookupHash,
        })
        .onConflict((conflict) => conflict.columns(['originServer', 'originId']).doNothing())
        .returning('id')
        .executeTakeFirst();
      if (row === undefined) return false;
      await insertKeys(db, [{ id: row.id, keys }]);
      return true;
    },

    deletePublished: (published) =>
      deleteAssociations(
        db,
        published.map(({ id }) => id),
      ),
  };
}

export function toLocalAssociation(row: {
  id: number;
  medium: string;
  address: string;
  mxid: string | null;
  ts: number | null;
  notBefore: number | null;
  notAfter: number | null;
  lookup_hash: string | null;
}): StoredLocalAssociation {
  return {
    id: row.id,
    medium: row.medium,
    address: row.address,
    mxid: row.mxid ?? undefined,
    ts: row.ts ?? 0,
    notBefore: row.notBefore ?? undefined,
    notAfter: row.notAfter ?? undefined,
    lookupHash: row.lookup_hash ?? undefined,
  };
}
