import type { Db, Engine } from '../engines/engine.ts';
import type { SessionCode, SessionStore } from '../stores/index.ts';
import { sessionRows, toSession } from './queries/session-rows.ts';

/** A mail's link works until its session ends, but not more of them than anyone would look for. */
const CODES_KEPT = 10;

const NO_CLAIM = { sending_attempt: null, sending_until: null, sending_by: null };
const NO_CODE = { sending_code: null, sending_code_ts: null, guesses_before: null };

export function sessionStore(engine: Engine, db: Db): SessionStore {
  const locked = () =>
    engine.locksRows && db.isTransaction ? sessionRows(db).forUpdate('extra') : sessionRows(db);

  /** Beside those that are there, the newest of them. */
  async function keepCode(id: number, { code, createdAt }: SessionCode): Promise<void> {
    const kept = db
      .selectFrom('cognomen_session_codes')
      .select('code')
      .where('session_id', '=', id)
      .orderBy('created_ts', 'desc')
      .limit(CODES_KEPT - 1);
    await db
      .deleteFrom('cognomen_session_codes')
      .where('session_id', '=', id)
      .where('code', 'not in', kept)
      .execute();
    await db
      .insertInto('cognomen_session_codes')
      .values({ session_id: id, code, created_ts: createdAt })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }

  async function releaseSend(id: number, holder: string): Promise<void> {
    await db
      .updateTable('cognomen_sessions')
      .set(NO_CLAIM)
      .where('session_id', '=', id)
      .where('sending_by', '=', holder)
      .execute();
  }

  async function deleteSessions(ids: number[]): Promise<void> {
    await db.deleteFrom('threepid_token_auths').where('validationSession', 'in', ids).execute();
    await db.deleteFrom('cognomen_session_codes').where('session_id', 'in', ids).execute();
    await db.deleteFrom('cognomen_sessions').where('session_id', 'in', ids).execute();
    await db.deleteFrom('threepid_validation_sessions').where('id', 'in', ids).execute();
  }

  return {
    async find(id) {
      const row = await locked().where('session.id', '=', id).executeTakeFirst();
      return row && toSession(row);
    },

    async findCurrent(medium, address, clientSecret) {
      const row = await locked()
        .where('extra.medium', '=', medium)
        .where('extra.address', '=', address)
        .where('extra.client_secret', '=', clientSecret)
        .executeTakeFirst();
      return row && toSession(row);
    },

    async create(session) {
      const extra = await db
        .insertInto('cognomen_sessions')
        .values({
          session_id: session.id,
          medium: session.medium,
          address: session.address,
          client_secret: session.clientSecret,
          sent_attempt: -1,
          wrong_guesses: 0,
        })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      if (extra.numInsertedOrUpdatedRows === 0n) return false;
      await db
        .insertInto('threepid_validation_sessions')
        .values({
          id: session.id,
          medium: session.medium,
          address: session.typed,
          clientSecret: session.clientSecret,
          validated: 0,
          mtime: session.modifiedAt,
        })
        .execute();
      return true;
    },

    async retire(id) {
      await db
        .updateTable('cognomen_sessions')
        .set({ client_secret: null })
        .where('session_id', '=', id)
        .execute();
    },

    async restore(id, clientSecret) {
      await db
        .updateTable('cognomen_sessions')
        .set({ client_secret: clientSecret })
        .where('session_id', '=', id)
        .execute();
    },

    async codes(id) {
      const rows = await db
        .selectFrom('cognomen_session_codes')
        .select(['code', 'created_ts'])
        .where('session_id', '=', id)
        .execute();
      return rows.map((row) => ({ code: row.code, createdAt: row.created_ts }));
    },

    async claimSend(id, { holder, until }) {
      await db
        .updateTable('cognomen_sessions')
        .set({ sending_by: holder, sending_until: until, sending_attempt: null })
        .where('session_id', '=', id)
        .execute();
    },

    async renewSend(id, holder, until) {
      await db
        .updateTable('cognomen_sessions')
        .set({ sending_until: until })
        .where('session_id', '=', id)
        .where('sending_by', '=', holder)
        .execute();
    },

    async prepareSend(id, holder, send) {
      const extra = await db
        .selectFrom('cognomen_sessions')
        .select(['sending_code', 'sending_code_ts', 'wrong_guesses'])
        .where('session_id', '=', id)
        .where('sending_by', '=', holder)
        .executeTakeFirst();
      if (extra === undefined) throw new Error('The claim on the session has lapsed');
      // The message of a process that died may have gone out.
      if (extra.sending_code !== null) {
        await keepCode(id, { code: extra.sending_code, createdAt: extra.sending_code_ts ?? 0 });
      }
      await db
        .updateTable('cognomen_sessions')
        .set({
          sending_code: send.code,
          sending_code_ts: send.now,
          guesses_before: extra.wrong_guesses,
          next_link: send.nextLink ?? null,
        })
        .where('session_id', '=', id)
        .execute();
      await db
        .updateTable('threepid_validation_sessions')
        .set({ address: send.typed })
        .where('id', '=', id)
        .execute();
      return extra.wrong_guesses;
    },

    async confirmSend(id, holder, { attempt, replaceCodes }) {
      const extra = await db
        .selectFrom('cognomen_sessions')
        .select(['sending_code', 'sending_code_ts'])
        .where('session_id', '=', id)
        .where('sending_by', '=', holder)
        .executeTakeFirst();
      if (extra === undefined || extra.sending_code === null) return;
      const { sending_code: code, sending_code_ts: createdAt } = extra;
      if (replaceCodes) {
        await db.deleteFrom('cognomen_session_codes').where('session_id', '=', id).execute();
      }
      await keepCode(id, { code, createdAt: createdAt ?? 0 });
      await db
        .updateTable('cognomen_sessions')
        .set(({ eb, fn, lit }) => ({
          ...NO_CLAIM,
          ...NO_CODE,
          sent_attempt: attempt,
          // By the database: a guess may have been counted since the row was read.
          wrong_guesses: eb('wrong_guesses', '-', fn.coalesce('guesses_before', lit(0))),
        }))
        .where('session_id', '=', id)
        .execute();
      await db.deleteFrom('threepid_token_auths').where('validationSession', '=', id).execute();
      await db
        .insertInto('threepid_token_auths')
        .values({ validationSession: id, token: code, sendAttemptNumber: attempt })
        .execute();
    },

    releaseSend,

    async abandonSend(id, holder, code) {
      await releaseSend(id, holder);
      await db
        .updateTable('cognomen_sessions')
        .set(NO_CODE)
        .where('session_id', '=', id)
        .where('sending_code', '=', code)
        .execute();
      // Kept there by another holder, where the claim had lapsed.
      await db
        .deleteFrom('cognomen_session_codes')
        .where('session_id', '=', id)
        .where('code', '=', code)
        .execute();
    },

    async deleteUnused(id) {
      const unused = await db
        .selectFrom('cognomen_sessions as extra')
        .leftJoin('cognomen_session_codes as code', 'code.session_id', 'extra.session_id')
        .select('extra.session_id')
        .where('extra.session_id', '=', id)
        .where('extra.sent_attempt', '=', -1)
        .where('extra.sending_until', 'is', null)
        .where('extra.sending_code', 'is', null)
        .where('code.session_id', 'is', null)
        .executeTakeFirst();
      if (unused !== undefined) await deleteSessions([id]);
      return unused !== undefined;
    },

    async forgetSends() {
      // On PostgreSQL another process may be sending; there a claim lapses by itself.
      if (engine.name !== 'sqlite') return;
      await db
        .updateTable('cognomen_sessions')
        .set(NO_CLAIM)
        .where('sending_until', 'is not', null)
        .execute();
    },

    async countWrongGuess(id) {
      await db
        .updateTable('cognomen_sessions')
        .set((update) => ({ wrong_guesses: update('wrong_guesses', '+', 1) }))
        .where('session_id', '=', id)
        .execute();
    },

    async countBind(id) {
      const row = await db
        .updateTable('cognomen_sessions')
        .set((update) => ({ binds: update('binds', '+', 1) }))
        .where('session_id', '=', id)
        .returning('binds')
        .executeTakeFirst();
      return row?.binds ?? 0;
    },

    async markValidated(id, now) {
      await db
        .updateTable('threepid_validation_sessions')
        .set({ validated: 1, mtime: now })
        .where('id', '=', id)
        .execute();
    },

    async deleteModifiedBefore(time, limit) {
      const rows = await db
        .selectFrom('threepid_validation_sessions')
        .select('id')
        .where('mtime', '<', time)
        .limit(limit)
        .execute();
      const ids = rows.map((row) => row.id);
      if (ids.length > 0) await deleteSessions(ids);
      return ids.length;
    },
  };
}
