import { sql } from 'kysely';
import { foldAddress, type Medium } from '../../../model/addresses.ts';
import type { Db, Engine } from '../../engines/engine.ts';
import type { AdoptionStore } from '../../stores/index.ts';
import { type KeyWriter, keysBehind } from '../queries/lookup-keys.ts';
import { portions } from '../queries/portions.ts';

type Counted =
  | 'global_threepid_associations'
  | 'local_threepid_associations'
  | 'cognomen_lookup_keys';

/** Under which the statements are kept that make the indexes again. */
const ASIDE = 'key_indexes';

export function adoptionStore(engine: Engine, db: Db, keyWriter: KeyWriter): AdoptionStore {
  async function countAfter(table: Counted, column: string, id: number): Promise<number> {
    const { count } = await db
      .selectFrom(table)
      .select(sql<number>`count(*)`.as('count'))
      .where(sql.ref<number>(column), '>', id)
      .executeTakeFirstOrThrow();
    return count;
  }

  const sessionsWithoutExtras = () =>
    db
      .selectFrom('threepid_validation_sessions as session')
      .leftJoin('cognomen_sessions as extra', 'extra.session_id', 'session.id')
      .where('extra.session_id', 'is', null);

  return {
    async sessionsWithoutExtras(limit) {
      const rows = await sessionsWithoutExtras()
        .select(['session.id', 'session.medium', 'session.address', 'session.clientSecret'])
        .orderBy('session.mtime', 'desc')
        .limit(limit)
        .execute();
      return rows;
    },

    async countSessionsWithoutExtras() {
      const { count } = await sessionsWithoutExtras()
        .select(sql<number>`count(*)`.as('count'))
        .executeTakeFirstOrThrow();
      return count;
    },

    async adoptSessions(sessions, now) {
      for (const portion of portions(sessions)) {
        const codes = await db
          .selectFrom('threepid_token_auths')
          .select(['validationSession as id', 'token', 'sendAttemptNumber as attempt'])
          .where(
            'validationSession',
            'in',
            portion.map(({ id }) => id),
          )
          .execute();
        const attempts = Map.groupBy(codes, ({ id }) => id);
        const extras = portion.map(({ id, medium, address, clientSecret }) => ({
          session_id: id,
          medium: medium as Medium,
          address: foldAddress(medium, address),
          client_secret: clientSecret as string | null,
          sent_attempt: Math.max(-1, ...(attempts.get(id) ?? []).map(({ attempt }) => attempt)),
          wrong_guesses: 0,
        }));
        const current = await db
          .insertInto('cognomen_sessions')
          .values(extras)
          .onConflict((conflict) => conflict.doNothing())
          .returning('session_id as id')
          .execute();
        const inserted = new Set(current.map(({ id }) => id));
        const others = extras.filter((extra) => !inserted.has(extra.session_id));
        if (others.length > 0) {
          await db
            .insertInto('cognomen_sessions')
            .values(others.map((extra) => ({ ...extra, client_secret: null })))
            .execute();
        }
        for (const few of portions(codes)) {
          await db
            .insertInto('cognomen_session_codes')
            .values(few.map(({ id, token }) => ({ session_id: id, code: token, created_ts: now })))
            .execute();
        }
      }
    },

    associationsAfter: (id, limit) =>
      db
        .selectFrom('global_threepid_associations')
        .select(['id', 'medium', 'address', 'originServer'])
        .where('id', '>', id)
        .orderBy('id')
        .limit(limit)
        .execute(),

    countAssociationsAfter: (id) => countAfter('global_threepid_associations', 'id', id),

    async signedJson(ids) {
      if (ids.length === 0) return new Map();
      const rows = await db
        .selectFrom('global_threepid_associations')
        .select(['id', 'sgAssoc'])
        .where('id', 'in', ids)
        .execute();
      return new Map(rows.map((row) => [row.id, row.sgAssoc]));
    },

    insertKeys: (keys) => keyWriter.insert(db, keys),

    async setKeyIndexesAside() {
      // Elsewhere another process may be looking things up meanwhile.
      if (!engine.hasOneWriter) return;
      const { rows } = await sql<{ name: string; sql: string }>`select name, sql from sqlite_master
        where type = 'index' and tbl_name = 'cognomen_lookup_keys' and sql is not null`.execute(db);
      if (rows.length === 0) return;
      for (const { name } of rows) await sql`drop index ${sql.ref(name)}`.execute(db);
      const value = JSON.stringify(rows.map((row) => row.sql));
      await db.insertInto('cognomen_state').values({ key: ASIDE, value }).execute();
    },

    async restoreKeyIndexes() {
      const kept = await db
        .selectFrom('cognomen_state')
        .select('value')
        .where('key', '=', ASIDE)
        .executeTakeFirst();
      if (kept === undefined) return;
      for (const statement of JSON.parse(kept.value)) await sql.raw(statement).execute(db);
      await db.deleteFrom('cognomen_state').where('key', '=', ASIDE).execute();
    },

    async deleteOrphanedKeys(after, limit) {
      const keys = await keysBehind(db, after, limit);
      if (keys === undefined) return undefined;
      const { last } = keys;
      await keyWriter.deleteKeys(db, (query) =>
        query
          .where('global_id', '>', after)
          .where('global_id', '<=', last)
          .where(
            'global_id',
            'not in',
            db
              .selectFrom('global_threepid_associations as global')
              .select('global.id')
              .where('global.id', '>', after)
              .where('global.id', '<=', last),
          ),
      );
      return last;
    },

    countLogAfter: (id) => countAfter('local_threepid_associations', 'id', id),

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

    countKeysAfter: (id) => countAfter('cognomen_lookup_keys', 'global_id', id),

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
