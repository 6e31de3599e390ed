import type { Engine } from '../../engines/engine.ts';
import type { NewSession, PreparedSend } from '../../stores/index.ts';
import { prepare } from '../prepared.ts';
import { type SessionRow, sessionRows } from './session-rows.ts';

/** A mail's link works until its session ends, but not more of them than anyone would look for. */
const CODES_KEPT = 10;

export const NO_CLAIM = { sending_attempt: null, sending_until: null, sending_by: null };
export const NO_CODE = { sending_code: null, sending_code_ts: null, guesses_before: null };

interface Id {
  readonly id: number;
}
interface Held extends Id {
  readonly holder: string;
}
interface Current {
  readonly medium: string;
  readonly address: string;
  readonly clientSecret: string;
}
interface Code extends Id {
  readonly code: string;
  readonly createdAt: number;
}
interface Sending {
  readonly sending_code: string | null;
  readonly sending_code_ts: number | null;
  readonly wrong_guesses: number;
}
type Send = Held &
  Omit<PreparedSend, 'nextLink' | 'typed'> & {
    until: number;
    nextLink: string | null;
    guesses: number;
  };

/** The statements of every request for a code, and of every bind by a session. */
export function sessionStatements(engine: Engine) {
  const find = (locks: boolean) =>
    prepare<Id, SessionRow>(engine, (db, slot) => {
      const rows = sessionRows(db).where('session.id', '=', slot('id'));
      return locks ? rows.forUpdate('extra') : rows;
    });
  const findCurrent = (locks: boolean) =>
    prepare<Current, SessionRow>(engine, (db, slot) => {
      const rows = sessionRows(db)
        .where('extra.medium', '=', slot('medium'))
        .where('extra.address', '=', slot('address'))
        .where('extra.client_secret', '=', slot('clientSecret'));
      return locks ? rows.forUpdate('extra') : rows;
    });

  return {
    find: { free: find(false), locked: find(true) },
    findCurrent: { free: findCurrent(false), locked: findCurrent(true) },

    insertExtra: prepare<NewSession, { session_id: number }>(engine, (db, slot) =>
      db
        .insertInto('cognomen_sessions')
        .values({
          session_id: slot('id'),
          medium: slot('medium'),
          address: slot('address'),
          client_secret: slot('clientSecret'),
          sent_attempt: -1,
          wrong_guesses: 0,
        })
        .onConflict((conflict) => conflict.doNothing())
        .returning('session_id'),
    ),
    insertSession: prepare<NewSession, unknown>(engine, (db, slot) =>
      db.insertInto('threepid_validation_sessions').values({
        id: slot('id'),
        medium: slot('medium'),
        address: slot('typed'),
        clientSecret: slot('clientSecret'),
        validated: 0,
        mtime: slot('modifiedAt'),
      }),
    ),

    sending: prepare<Held, Sending>(engine, (db, slot) =>
      db
        .selectFrom('cognomen_sessions')
        .select(['sending_code', 'sending_code_ts', 'wrong_guesses'])
        .where('session_id', '=', slot('id'))
        .where('sending_by', '=', slot('holder')),
    ),
    beginSend: prepare<Send, unknown>(engine, (db, slot) =>
      db
        .updateTable('cognomen_sessions')
        .set({
          sending_by: slot('holder'),
          sending_until: slot('until'),
          sending_attempt: null,
          sending_code: slot('code'),
          sending_code_ts: slot('now'),
          guesses_before: slot('guesses'),
          next_link: slot('nextLink'),
        })
        .where('session_id', '=', slot('id')),
    ),
    setTyped: prepare<Id & { typed: string }, unknown>(engine, (db, slot) =>
      db
        .updateTable('threepid_validation_sessions')
        .set({ address: slot('typed') })
        .where('id', '=', slot('id')),
    ),

    /** All but the newest, and so many that there is room for another. */
    deleteOldCodes: prepare<Id, unknown>(engine, (db, slot) =>
      db
        .deleteFrom('cognomen_session_codes')
        .where('session_id', '=', slot('id'))
        .where(
          'code',
          'not in',
          db
            .selectFrom('cognomen_session_codes')
            .select('code')
            .where('session_id', '=', slot('id'))
            .orderBy('created_ts', 'desc')
            .limit(CODES_KEPT - 1),
        ),
    ),
    insertCode: prepare<Code, unknown>(engine, (db, slot) =>
      db
        .insertInto('cognomen_session_codes')
        .values({ session_id: slot('id'), code: slot('code'), created_ts: slot('createdAt') })
        .onConflict((conflict) => conflict.doNothing()),
    ),

    confirm: prepare<Id & { attempt: number }, unknown>(engine, (db, slot) =>
      db
        .updateTable('cognomen_sessions')
        .set(({ eb, fn, lit }) => ({
          ...NO_CLAIM,
          ...NO_CODE,
          sent_attempt: slot('attempt'),
          // By the database: a guess may have been counted since the row was read.
          wrong_guesses: eb('wrong_guesses', '-', fn.coalesce('guesses_before', lit(0))),
        }))
        .where('session_id', '=', slot('id')),
    ),
    deleteSydentCode: prepare<Id, unknown>(engine, (db, slot) =>
      db.deleteFrom('threepid_token_auths').where('validationSession', '=', slot('id')),
    ),
    insertSydentCode: prepare<Id & { code: string; attempt: number }, unknown>(engine, (db, slot) =>
      db.insertInto('threepid_token_auths').values({
        validationSession: slot('id'),
        token: slot('code'),
        sendAttemptNumber: slot('attempt'),
      }),
    ),

    countBind: prepare<Id, { binds: number }>(engine, (db, slot) =>
      db
        .updateTable('cognomen_sessions')
        .set((update) => ({ binds: update('binds', '+', 1) }))
        .where('session_id', '=', slot('id'))
        .returning('binds'),
    ),
  };
}
