import { foldAddress } from '../../../model/addresses.ts';
import { isSameServer } from '../../../model/server-name.ts';
import type { Db, Engine } from '../../engines/engine.ts';
import type { OwnAssociationStore } from '../../stores/index.ts';
import { toLocalAssociation } from '../associations.ts';
import { isOrigin, keyedAssociations } from '../queries/keyed-associations.ts';
import type { KeyWriter } from '../queries/lookup-keys.ts';

const COLUMNS = [
  'id',
  'medium',
  'address',
  'mxid',
  'ts',
  'notBefore',
  'notAfter',
  'originId',
] as const;

export function ownAssociationStore(
  engine: Engine,
  db: Db,
  keyWriter: KeyWriter,
): OwnAssociationStore {
  const ofOrigin = (originServer: string) =>
    db
      .selectFrom('global_threepid_associations')
      .where('originServer', '=', originServer)
      .orderBy('originId');

  return {
    async otherNames(serverName) {
      const names: string[] = [];
      for (let last = ''; ; ) {
        const row = await db
          .selectFrom('global_threepid_associations')
          .select('originServer')
          .where('originServer', '>', last)
          .orderBy('originServer')
          .limit(1)
          .executeTakeFirst();
        if (row === undefined) return names;
        last = row.originServer;
        if (last !== serverName && isSameServer(last, serverName)) names.push(last);
      }
    },

    async count(originServer) {
      const { count } = await db
        .selectFrom('global_threepid_associations')
        .select((select) => select.fn.countAll<number>().as('count'))
        .where('originServer', '=', originServer)
        .executeTakeFirstOrThrow();
      return count;
    },

    first: (originServer, limit) => ofOrigin(originServer).select(COLUMNS).limit(limit).execute(),

    async ofEntries(originServer, ids) {
      if (ids.length === 0) return [];
      return ofOrigin(originServer).select(COLUMNS).where('originId', 'in', ids).execute();
    },

    async ofAddresses(originServer, addresses) {
      if (addresses.length === 0) return [];
      return keyedAssociations(db)
        .where(engine.isAnyOf('lookup.spelling', addresses))
        .where('global.originServer', '=', originServer)
        .select(COLUMNS.map((column) => `global.${column}` as const))
        .execute();
    },

    async inLog(addresses) {
      if (addresses.length === 0) return new Set();
      const rows = await db
        .selectFrom('local_threepid_associations')
        .select(['medium', 'address'])
        .where('medium', 'in', ['email', 'msisdn'])
        .where(engine.isAnyOf('address', addresses))
        .execute();
      return new Set(rows.map(({ medium, address }) => `${medium} ${address}`));
    },

    async rename(id, originServer, signedJson) {
      await db
        .updateTable('global_threepid_associations')
        .set({ originServer, sgAssoc: signedJson })
        .where('id', '=', id)
        .execute();
    },

    delete: (ids) => keyWriter.deleteAssociations(db, ids),

    async entriesOf(originServer, addresses) {
      if (addresses.length === 0) return new Map();
      const keyed = await keyedAssociations(db)
        .where(engine.isAnyOf('lookup.spelling', addresses))
        .where('global.medium', '=', 'email')
        .where(isOrigin('global.originServer', originServer))
        .select('global.originId')
        .execute();
      const ids = [...new Set(keyed.map((row) => row.originId))];
      const entries = db.selectFrom('local_threepid_associations').selectAll();
      const folded = await entries
        .where('medium', '=', 'email')
        .where(engine.isAnyOf('address', addresses))
        .execute();
      const stored = ids.length === 0 ? [] : await entries.where('id', 'in', ids).execute();
      const all = new Map([...folded, ...stored].map((row) => [row.id, toLocalAssociation(row)]));
      return Map.groupBy(all.values(), ({ medium, address }) => foldAddress(medium, address));
    },
  };
}
