import type { Db, Engine } from '../engines/engine.ts';
import type { ErasureStore } from '../stores/index.ts';

export function erasureStore(engine: Engine, db: Db): ErasureStore {
  return {
    async note({ nameHash, erasedAt, logId }) {
      const values = { erased_ts: erasedAt, ...(logId !== undefined && { log_id: logId }) };
      await db
        .insertInto('cognomen_erased')
        .values({ name_hash: nameHash, ...values })
        .onConflict((conflict) => conflict.column('name_hash').doUpdateSet(values))
        .execute();
    },

    async erasedAt(nameHashes) {
      if (nameHashes.length === 0) return new Map();
      const rows = await db
        .selectFrom('cognomen_erased')
        .select(['name_hash', 'erased_ts'])
        .where(engine.isAnyOf('name_hash', nameHashes))
        .execute();
      return new Map(rows.map((row) => [row.name_hash, row.erased_ts]));
    },

    async removeTombstones(before, limit) {
      const waiting = await db
        .selectFrom('cognomen_erased')
        .select(['log_id', 'erased_ts'])
        .where('log_id', 'is not', null)
        .orderBy('log_id')
        .limit(limit)
        .execute();
      if (waiting.length === 0) return 0;
      const { sent } = await db
        .selectFrom('peers')
        .select(({ fn, val }) => fn.min(fn.coalesce('lastSentVersion', val(0))).as('sent'))
        .executeTakeFirstOrThrow();
      const ids = waiting
        // Without any peer there is nobody to wait for.
        .filter(
          (row) => sent === null || Number(row.log_id) <= Number(sent) || row.erased_ts < before,
        )
        .map((row) => Number(row.log_id));
      if (ids.length === 0) return 0;
      // What has been bound since is another entry.
      await db
        .deleteFrom('local_threepid_associations')
        .where('id', 'in', ids)
        .where('mxid', 'is', null)
        .execute();
      await db
        .updateTable('cognomen_erased')
        .set({ log_id: null })
        .where('log_id', 'in', ids)
        .execute();
      return ids.length;
    },

    async waitingFor(logId) {
      const rows = await db
        .selectFrom('peers')
        .select('name')
        .where(({ fn, val }) => fn.coalesce('lastSentVersion', val(0)), '<', logId)
        .orderBy('name')
        .execute();
      return rows.map(({ name }) => name);
    },
  };
}
