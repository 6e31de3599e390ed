import type { Medium } from '../identity/addresses.ts';
import type { Db, Engine } from './engine.ts';
import type { Session, SessionStore } from './stores.ts';

/** A mail's link works until its session ends, but not more of them than anyone would look for. */
const CODES_KEPT = 10;

function query(db: Db) {
  return db
    .selectFrom('threepid_validation_sessions as session')
    .innerJoin('cognomen_sessions as extra', 'extra.session_id', 'session.id')
    .select([
      'session.id',
      'extra.medium',
      'extra.address',
      'session.address as typed',
      'session.clientSecret',
      'session.validated',
      'session.mtime',
      'extra.next_link',
      'extra.sent_attempt',
      'extra.sending_attempt',
      'extra.sending_until',
      'extra.wrong_guesses',
    ]);
}

type Row = Awaited<ReturnType<ReturnType<typeof query>['executeTakeFirstOrThrow']>>;

function toSession(row: Row): Session {
  return {
    id: row.id,
    medium: row.medium as Medium,
    address: row.address,
    typed: row.typed,
    clientSecret: row.clientSecret,
    validated: row.validated === 1,
    modifiedAt: row.mtime,
    nextLink: row.next_link ?? undefined,
    sentAttempt: row.sent_attempt,
    sending:
      row.sending_attempt === null || row.sending_until === null
        ? undefined
        : { attempt: row.sending_attempt, until: row.sending_until },
    wrongGuesses: row.wrong_guesses,
  };
}

export function sessionStore(engine: Engine, db: Db): SessionStore {
  const locked = () =>
    engine.locksRows && db.isTransaction ? query(db).forUpdate('extra') : query(db);

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

    async codes(id) {
      const rows = await db
        .selectFrom('cognomen_session_codes')
        .select(['code', 'created_ts'])
        .where('session_id', '=', id)
        .execute();
      return rows.map((row) => ({ code: row.code, createdAt: row.created_ts }));
    },

    async prepareSend(id, send) {
      const kept = db
        .selectFrom('cognomen_session_codes')
        .select('code')
        .where('session_id', '=', id)
        .orderBy('created_ts', 'desc')
        .limit(send.replaceCodes ? 0 : CODES_KEPT - 1);
      await db
        .deleteFrom('cognomen_session_codes')
        .where('session_id', '=', id)
        .where('code', 'not in', kept)
        .execute();
      await db
        .insertInto('cognomen_session_codes')
        .values({ session_id: id, code: send.code, created_ts: send.now })
        .execute();
      await db
        .updateTable('cognomen_sessions')
        .set({
          next_link: send.nextLink ?? null,
          sending_attempt: send.attempt,
          sending_until: send.until,
          wrong_guesses: 0,
        })
        .where('session_id', '=', id)
        .execute();
      await db
        .updateTable('threepid_validation_sessions')
        .set({ address: send.typed })
        .where('id', '=', id)
        .execute();
    },

    async confirmSend(id, attempt, code) {
      await db
        .updateTable('cognomen_sessions')
        .set({ sent_attempt: attempt, sending_attempt: null, sending_until: null })
        .where('session_id', '=', id)
        .where('sent_attempt', '<', attempt)
        .execute();
      await db.deleteFrom('threepid_token_auths').where('validationSession', '=', id).execute();
      await db
        .insertInto('threepid_token_auths')
        .values({ validationSession: id, token: code, sendAttemptNumber: attempt })
        .execute();
    },

    async abandonSend(id, attempt, code, before) {
      const current = await db
        .updateTable('cognomen_sessions')
        .set((update) => ({
          sending_attempt: null,
          sending_until: null,
          // Guesses made meanwhile stay counted.
          wrong_guesses: update('wrong_guesses', '+', before.wrongGuesses),
        }))
        .where('session_id', '=', id)
        .where('sending_attempt', '=', attempt)
        .executeTakeFirst();
      await db
        .deleteFrom('cognomen_session_codes')
        .where('session_id', '=', id)
        .where('code', '=', code)
        .execute();
      if (current.numUpdatedRows === 0n || before.codes.length === 0) return;
      await db
        .insertInto('cognomen_session_codes')
        .values(
          before.codes.map((earlier) => ({
            session_id: id,
            code: earlier.code,
            created_ts: earlier.createdAt,
          })),
        )
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    },

    async deleteUnused(id) {
      const unused = await db
        .selectFrom('cognomen_sessions as extra')
        .leftJoin('cognomen_session_codes as code', 'code.session_id', 'extra.session_id')
        .select('extra.session_id')
        .where('extra.session_id', '=', id)
        .where('extra.sent_attempt', '=', -1)
        .where('extra.sending_attempt', 'is', null)
        .where('code.session_id', 'is', null)
        .executeTakeFirst();
      if (unused !== undefined) await deleteSessions([id]);
    },

    async forgetSends() {
      // On PostgreSQL another process may be sending; there a claim lapses by itself.
      if (engine.name !== 'sqlite') return;
      await db
        .updateTable('cognomen_sessions')
        .set({ sending_attempt: null, sending_until: null })
        .where('sending_attempt', 'is not', null)
        .execute();
    },

    async countWrongGuess(id) {
      await db
        .updateTable('cognomen_sessions')
        .set((update) => ({ wrong_guesses: update('wrong_guesses', '+', 1) }))
        .where('session_id', '=', id)
        .execute();
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
