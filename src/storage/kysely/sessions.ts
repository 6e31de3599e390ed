import type { Db, Engine } from '../engines/engine.ts';
import type { SessionCode, SessionStore } from '../stores/index.ts';
import { toSession } from './queries/session-rows.ts';
import { NO_CLAIM, NO_CODE, sessionStatements } from './queries/session-statements.ts';

export function sessionStore(engine: Engine): (db: Db) => SessionStore {
  const statements = sessionStatements(engine);
  return (db) => sessionStoreOn(engine, db, statements);
}

function sessionStoreOn(
  engine: Engine,
  db: Db,
  statements: ReturnType<typeof sessionStatements>,
): SessionStore {
  const kind = engine.locksRows && db.isTransaction ? 'locked' : 'free';

  /** Beside those that are there, the newest of them. */
  async function keepCode(id: number, { code, createdAt }: SessionCode): Promise<void> {
    await statements.deleteOldCodes(db, { id });
    await statements.insertCode(db, { id, code, createdAt });
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
      const [row] = await statements.find[kind](db, { id });
      return row && toSession(row);
    },

    async findCurrent(medium, address, clientSecret) {
      const [row] = await statements.findCurrent[kind](db, { medium, address, clientSecret });
      return row && toSession(row);
    },

    async create(session) {
      const [extra] = await statements.insertExtra(db, session);
      if (extra === undefined) return false;
      await statements.insertSession(db, session);
      return true;
    },

    async retire(id) {
      await db
        .updateTable('cognomen_sessions')
        .set({ client_secret: null })
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

    async renewSend(id, holder, until) {
      await db
        .updateTable('cognomen_sessions')
        .set({ sending_until: until })
        .where('session_id', '=', id)
        .where('sending_by', '=', holder)
        .execute();
    },

    async beginSend({ id, sendingCode, wrongGuesses: guesses, ...session }, lease, send) {
      // The message of a process that died may have gone out.
      if (sendingCode !== undefined) await keepCode(id, sendingCode);
      const { typed, nextLink = null, ...code } = send;
      await statements.beginSend(db, { id, ...lease, ...code, nextLink, guesses });
      if (typed !== session.typed) await statements.setTyped(db, { id, typed });
    },

    async confirmSend(id, holder, { attempt, replaceCodes }) {
      const [extra] = await statements.sending(db, { id, holder });
      if (extra === undefined || extra.sending_code === null) return;
      const { sending_code: code, sending_code_ts: createdAt } = extra;
      if (replaceCodes) {
        await db.deleteFrom('cognomen_session_codes').where('session_id', '=', id).execute();
      }
      await keepCode(id, { code, createdAt: createdAt ?? 0 });
      await statements.confirm(db, { id, attempt });
      await statements.deleteSydentCode(db, { id });
      await statements.insertSydentCode(db, { id, code, attempt });
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
      const [row] = await statements.countBind(db, { id });
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
      const old = db
        .selectFrom('threepid_validation_sessions')
        .select('id')
        .where('mtime', '<', time)
        .limit(limit);
      const rows = await (engine.locksRows ? old.forUpdate().skipLocked() : old).execute();
      const ids = rows.map((row) => row.id);
      if (ids.length > 0) await deleteSessions(ids);
      return ids.length;
    },
  };
}
