import { replaces } from '../../model/precedence.ts';
import { isSameServer } from '../../model/server-name.ts';
import { yieldToEventLoop } from '../../platform/yield-to-event-loop.ts';
import type { Db, Engine } from '../engines/engine.ts';
import type { KeyedAssociation, ReplicatedDeletion, ReplicatedStore } from '../stores/index.ts';
import { keyedAssociations } from './queries/keyed-associations.ts';
import type { KeyWriter } from './queries/lookup-keys.ts';
import { portions } from './queries/portions.ts';

/** Addresses looked at together. */
const CHUNK = 500;

function* chunks<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < items.length; from += CHUNK) yield items.slice(from, from + CHUNK);
}

interface Addressed {
  readonly medium: string;
  readonly address: string;
}

const nameOf = ({ medium, address }: Addressed) => `${medium} ${address}`;

export function replicatedStore(engine: Engine, db: Db, keyWriter: KeyWriter): ReplicatedStore {
  /** The rows that lookups find for these addresses, by medium and address. */
  async function existing(of: readonly Addressed[]) {
    const rows = await keyedAssociations(db)
      .where(
        engine.isAnyOf(
          'lookup.spelling',
          of.map(({ address }) => address),
        ),
      )
      .select(['global.id', 'global.medium', 'lookup.spelling as address'])
      .select(['global.originServer', 'global.originId', 'global.ts'])
      .execute();
    return Map.groupBy(rows, nameOf);
  }

  /** Of each address, the id by which that origin deleted it. */
  async function deletions(of: readonly Addressed[], origin: string): Promise<Map<string, number>> {
    const rows = await db
      .selectFrom('cognomen_received_deletions')
      .where(
        engine.isAnyOf(
          'address',
          of.map(({ address }) => address),
        ),
      )
      .where('origin_server', '=', origin)
      .select(['medium', 'address', 'origin_id'])
      .execute();
    return new Map(rows.map((row) => [nameOf(row), row.origin_id]));
  }

  async function insertRows(rows: readonly KeyedAssociation[]): Promise<KeyedAssociation[]> {
    const stored: KeyedAssociation[] = [];
    for (const portion of portions(rows)) {
      const byId = new Map(portion.map((row) => [row.originId, row]));
      const inserted = await db
        .insertInto('global_threepid_associations')
        .values(
          portion.map(({ signedJson, lookupHash, keys: _keys, ...row }) => ({
            ...row,
            sgAssoc: signedJson,
            lookup_hash: lookupHash,
          })),
        )
        .onConflict((conflict) => conflict.columns(['originServer', 'originId']).doNothing())
        .returning(['id', 'originId'])
        .execute();
      const keys = inserted.flatMap(({ id, originId }) => {
        const row = byId.get(originId);
        if (row === undefined) return [];
        stored.push(row);
        return [{ id, medium: row.medium, keys: row.keys }];
      });
      await keyWriter.insert(db, keys);
      await yieldToEventLoop();
    }
    return stored;
  }

  return {
    async insert(origin, associations, ahead) {
      const stored: KeyedAssociation[] = [];
      for (const chunk of chunks(associations)) {
        const [rows, deleted] = [await existing(chunk), await deletions(chunk, origin)];
        const later = Map.groupBy(chunk, nameOf);
        const news = chunk.filter((association) => {
          const name = nameOf(association);
          if (association.originId <= (deleted.get(name) ?? -1)) return false;
          const known = (rows.get(name) ?? []).filter((row) =>
            isSameServer(row.originServer, origin),
          );
          // Repeats of what stands under the origin's name in another case.
          if (known.some(({ originId }) => originId === association.originId)) return false;
          const others = [...known, ...(later.get(name) ?? [])];
          return !others.some((other) =>
            replaces({ ...other, deletes: false }, association, ahead),
          );
        });
        const replaced = news.flatMap((association) =>
          (rows.get(nameOf(association)) ?? []).filter((row) =>
            replaces({ ...association, deletes: false }, row, ahead),
          ),
        );
        await keyWriter.deleteAssociations(db, [...new Set(replaced.map((row) => row.id))]);
        stored.push(...(await insertRows(news)));
      }
      return stored;
    },

    async delete(origin, all, { now, ahead }) {
      for (const chunk of chunks(all)) {
        const rows = await existing(chunk);
        const gone = chunk.flatMap((deletion) =>
          (rows.get(nameOf(deletion)) ?? []).filter((row) =>
            replaces({ ...deletion, originServer: origin, deletes: true }, row, ahead),
          ),
        );
        await keyWriter.deleteAssociations(db, [...new Set(gone.map((row) => row.id))]);
        await noteDeletions(db, origin, chunk, now);
        await yieldToEventLoop();
      }
    },

    async highestLogId() {
      const row = await db
        .selectFrom('local_threepid_associations')
        .select((select) => select.fn.max('id').as('id'))
        .executeTakeFirst();
      return row?.id ?? 0;
    },

    async pruneLog(before, limit) {
      const { sent } = await db
        .selectFrom('peers')
        .select(({ fn, val }) => fn.min(fn.coalesce('lastSentVersion', val(0))).as('sent'))
        .executeTakeFirstOrThrow();
      const rows = await db
        .selectFrom('local_threepid_associations')
        .select('id')
        .where('mxid', 'is', null)
        .where('ts', '<', before)
        // Without any peer there is nobody to wait for.
        .$if(sent !== null, (query) => query.where('id', '<=', Number(sent)))
        .orderBy('id')
        .limit(limit)
        .execute();
      for (const portion of portions(rows.map((row) => row.id))) {
        await db.deleteFrom('local_threepid_associations').where('id', 'in', portion).execute();
      }
      return rows.length;
    },

    async forgetDeletions(before) {
      await db
        .deleteFrom('cognomen_received_deletions')
        .where('received_ts', '<', before)
        .execute();
    },
  };
}

async function noteDeletions(
  db: Db,
  origin: string,
  deletions: readonly ReplicatedDeletion[],
  now: number,
): Promise<void> {
  // Of each address the newest, as one statement cannot write a row twice.
  const newest = new Map(
    deletions.toSorted((a, b) => a.originId - b.originId).map((entry) => [nameOf(entry), entry]),
  );
  for (const portion of portions([...newest.values()])) {
    await db
      .insertInto('cognomen_received_deletions')
      .values(
        portion.map(({ medium, address, originId }) => ({
          origin_server: origin,
          medium,
          address,
          origin_id: originId,
          received_ts: now,
        })),
      )
      .onConflict((conflict) =>
        conflict
          .columns(['origin_server', 'address', 'medium'])
          .doUpdateSet((update) => ({
            origin_id: update.ref('excluded.origin_id'),
            received_ts: update.ref('excluded.received_ts'),
          }))
          .whereRef('cognomen_received_deletions.origin_id', '<', 'excluded.origin_id'),
      )
      .execute();
  }
}
