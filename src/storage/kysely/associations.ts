import type { RawBuilder } from 'kysely';
import type { Db, Engine } from '../engines/engine.ts';
import type {
  AssociationStore,
  GlobalAssociation,
  StoredLocalAssociation,
} from '../stores/index.ts';
import { prepare, type SlotOf } from './prepared.ts';
import { knownOfAddress } from './queries/known-of-address.ts';
import type { KeyWriter } from './queries/lookup-keys.ts';

interface LogRow {
  readonly medium: string;
  readonly address: string;
  readonly mxid: string | null;
  readonly ts: number;
  readonly notBefore: number | null;
  readonly notAfter: number | null;
  readonly lookup_hash: string | null;
}

type PublishedRow = Omit<GlobalAssociation, 'signedJson' | 'lookupHash'> & {
  readonly sgAssoc: string;
  readonly lookup_hash: string;
};

/** The columns of a row, each with the place of its value. */
const places = <Row, N extends keyof Row & string>(slot: SlotOf<Row>, ...names: N[]) =>
  Object.fromEntries(names.map((name) => [name, slot(name)])) as Record<N, RawBuilder<never>>;

export function associationStore(
  engine: Engine,
  keyWriter: KeyWriter,
): (db: Db) => AssociationStore {
  const known = knownOfAddress(engine);
  const append = prepare<LogRow, { id: number }>(engine, (db, slot) =>
    db
      .insertInto('local_threepid_associations')
      .values({
        ...places(slot, 'medium', 'address', 'mxid', 'ts'),
        ...places(slot, 'notBefore', 'notAfter', 'lookup_hash'),
      })
      .returning('id'),
  );
  const publish = prepare<PublishedRow, { id: number }>(engine, (db, slot) =>
    db
      .insertInto('global_threepid_associations')
      .values({
        ...places(slot, 'medium', 'address', 'mxid', 'ts', 'notBefore', 'notAfter'),
        ...places(slot, 'originServer', 'originId', 'sgAssoc', 'lookup_hash'),
      })
      .onConflict((conflict) => conflict.columns(['originServer', 'originId']).doNothing())
      .returning('id'),
  );

  return (db) => ({
    known: (threepid, serverName, invites) => known(db, { ...threepid, serverName, invites }),

    async appendToLog(entry, replaced) {
      const ids = replaced.map(({ id }) => id);
      if (ids.length > 0) {
        await db.deleteFrom('local_threepid_associations').where('id', 'in', ids).execute();
      }
      const [row] = await append(db, {
        medium: entry.medium,
        address: entry.address,
        mxid: entry.mxid ?? null,
        ts: entry.ts,
        notBefore: entry.notBefore ?? null,
        notAfter: entry.notAfter ?? null,
        lookup_hash: entry.lookupHash ?? null,
      });
      if (row === undefined) throw new Error('The log gave no id');
      return row.id;
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
      const { signedJson, lookupHash: lookup_hash, ...columns } = association;
      const [row] = await publish(db, { ...columns, sgAssoc: signedJson, lookup_hash });
      if (row === undefined) return false;
      await keyWriter.insert(db, [{ id: row.id, medium: columns.medium, keys }]);
      return true;
    },

    deletePublished: (published) =>
      keyWriter.deleteAssociations(
        db,
        published.map(({ id }) => id),
      ),
  });
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
