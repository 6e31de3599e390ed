import { foldAddress } from '../../model/addresses.ts';
import { isSameServer } from '../../model/server-name.ts';
import type { Db, Engine } from '../engines/engine.ts';
import type { AssociationStore, StoredLocalAssociation } from '../stores/index.ts';
import { isOrigin, keyedAssociations } from './keyed-associations.ts';
import { deleteAssociations, insertKeys } from './lookup-keys.ts';

/** The log entries of a folded address: under that spelling, or under what an old Sydent stored. */
async function ownEntries(db: Db, medium: string, address: string, serverName: string) {
  const entries = db.selectFrom('local_threepid_associations').selectAll();
  const folded = await entries
    .where('medium', '=', medium)
    .where('address', '=', address)
    .execute();
  const others = await keyedAssociations(db)
    .where('lookup.spelling', '=', address)
    .select(['global.originServer', 'global.originId'])
    .execute();
  const ids = others
    .filter((row) => isSameServer(row.originServer, serverName))
    .map((row) => row.originId)
    .filter((id) => !folded.some((entry) => entry.id === id));
  if (ids.length === 0) return folded;
  const stored = await entries.where('id', 'in', ids).execute();
  // The ids of rows older than the log can be those of other entries by now.
  const same = stored.filter(
    (entry) => entry.medium === medium && foldAddress(medium, entry.address) === address,
  );
  return [...folded, ...same];
}

export function associationStore(engine: Engine, db: Db): AssociationStore {
  return {
    lockLog: () => engine.lockAssociationLog(db),

    async findOwn(medium, address, serverName) {
      const entries = await ownEntries(db, medium, address, serverName);
      const newest = entries.toSorted((a, b) => b.id - a.id)[0];
      return newest && toLocalAssociation(newest);
    },

    async newestTs(medium, address, below) {
      const row = await keyedAssociations(db)
        .where('lookup.spelling', '=', address)
        .where('global.medium', '=', medium)
        .where('global.ts', '<', below)
        .select((select) => select.fn.max('global.ts').as('ts'))
        .executeTakeFirst();
      return row?.ts ?? undefined;
    },

    async appendToLog(entry, serverName) {
      const replaced = await ownEntries(db, entry.medium, entry.address, serverName);
      if (replaced.length > 0) {
        await db
          .deleteFrom('local_threepid_associations')
          .where(
            'id',
            'in',
            replaced.map((row) => row.id),
          )
          .execute();
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
      return { id, replaced: replaced.map(toLocalAssociation) };
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

    async insertGlobal(association, keys) {
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

    async deleteGlobal(medium, address, originServer, { upTo, ahead }) {
      const rows = await keyedAssociations(db)
        .where('lookup.spelling', '=', address)
        .where('global.medium', '=', medium)
        .where((where) =>
          where.or([
            isOrigin('global.originServer', originServer),
            where('global.ts', '>=', ahead),
            ...(upTo === undefined ? [] : [where('global.ts', '<=', upTo)]),
          ]),
        )
        .select('global.id')
        .execute();
      await deleteAssociations(
        db,
        rows.map((row) => row.id),
      );
    },
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
