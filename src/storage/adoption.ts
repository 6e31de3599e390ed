import { foldAddress, type Medium } from '../identity/addresses.ts';
import { insertKeys } from './associations.ts';
import type { Db } from './engine.ts';
import type { AdoptionStore } from './stores.ts';

export function adoptionStore(db: Db): AdoptionStore {
  return {
    async getState(key) {
      const row = await db
        .selectFrom('cognomen_state')
        .select('value')
        .where('key', '=', key)
        .executeTakeFirst();
      return row?.value;
    },

    async setState(key, value) {
      await db
        .insertInto('cognomen_state')
        .values({ key, value })
        .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
        .execute();
    },

    async sessionsWithoutExtras(limit) {
      const rows = await db
        .selectFrom('threepid_validation_sessions as session')
        .leftJoin('cognomen_sessions as extra', 'extra.session_id', 'session.id')
        .where('extra.session_id', 'is', null)
        .select(['session.id', 'session.medium', 'session.address', 'session.clientSecret'])
        .orderBy('session.mtime', 'desc')
        .limit(limit)
        .execute();
      return rows;
    },

    async adoptSession(session, now) {
      const codes = await db
        .selectFrom('threepid_token_auths')
        .select(['token', 'sendAttemptNumber'])
        .where('validationSession', '=', session.id)
        .execute();
      const extra = {
        session_id: session.id,
        medium: session.medium as Medium,
        address: foldAddress(session.medium, session.address),
        sent_attempt: Math.max(-1, ...codes.map((code) => code.sendAttemptNumber)),
        wrong_guesses: 0,
      };
      const inserted = await db
        .insertInto('cognomen_sessions')
        .values({ ...extra, client_secret: session.clientSecret })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      if (inserted.numInsertedOrUpdatedRows === 0n) {
        await db
          .insertInto('cognomen_sessions')
          .values({ ...extra, client_secret: null })
          .execute();
      }
      if (codes.length > 0) {
        await db
          .insertInto('cognomen_session_codes')
          .values(
            codes.map((code) => ({ session_id: session.id, code: code.token, created_ts: now })),
          )
          .execute();
      }
    },

    associationsAfter: (id, limit) =>
      db
        .selectFrom('global_threepid_associations')
        .select(['id', 'medium', 'address'])
        .where('id', '>', id)
        .orderBy('id')
        .limit(limit)
        .execute(),

    async withoutKeys(ids) {
      if (ids.length === 0) return new Set();
      const indexed = await db
        .selectFrom('cognomen_lookup_keys')
        .select('global_id')
        .where('global_id', 'in', ids)
        .execute();
      const missing = new Set(ids);
      for (const row of indexed) missing.delete(row.global_id);
      return missing;
    },

    insertKeys: (id, keys) => insertKeys(db, id, keys),

    async deleteOrphanedKeys() {
      await db
        .deleteFrom('cognomen_lookup_keys')
        .where(
          'global_id',
          'not in',
          db.selectFrom('global_threepid_associations').select('global_threepid_associations.id'),
        )
        .execute();
    },

    async highestOriginId(originServer) {
      const row = await db
        .selectFrom('global_threepid_associations')
        .select((select) => select.fn.max('originId').as('id'))
        .where('originServer', '=', originServer)
        .executeTakeFirst();
      return row?.id ?? 0;
    },

    keysAfter: (id, spelling, limit) =>
      db
        .selectFrom('cognomen_lookup_keys as lookup')
        .innerJoin('global_threepid_associations as global', 'global.id', 'lookup.global_id')
        .select(['global.id', 'global.medium', 'lookup.spelling'])
        .where((where) =>
          where.or([
            where('lookup.global_id', '>', id),
            where.and([
              where('lookup.global_id', '=', id),
              where('lookup.spelling', '>', spelling),
            ]),
          ]),
        )
        .orderBy('lookup.global_id')
        .orderBy('lookup.spelling')
        .limit(limit)
        .execute(),

    async setKeyHash(id, spelling, lookupHash) {
      await db
        .updateTable('cognomen_lookup_keys')
        .set({ lookup_hash: lookupHash })
        .where('global_id', '=', id)
        .where('spelling', '=', spelling)
        .execute();
    },
  };
}
