import type { Medium } from '../../../model/addresses.ts';
import type { Db } from '../../engines/engine.ts';
import type { Session } from '../../stores/index.ts';

/** Sessions as Sydent has them, with what stands beside. */
export function sessionRows(db: Db) {
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
      'extra.sending_until',
      'extra.sending_code',
      'extra.sending_code_ts',
      'extra.guesses_before',
      'extra.wrong_guesses',
    ]);
}

export type SessionRow = Awaited<
  ReturnType<ReturnType<typeof sessionRows>['executeTakeFirstOrThrow']>
>;

export function toSession(row: SessionRow): Session {
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
    sendingUntil: row.sending_until ?? undefined,
    sendingCode:
      row.sending_code === null
        ? undefined
        : {
            code: row.sending_code,
            createdAt: row.sending_code_ts ?? row.mtime,
            guessesBefore: row.guesses_before ?? 0,
          },
    wrongGuesses: row.wrong_guesses,
  };
}
