import type { Engine } from '../../engines/engine.ts';
import { prepare } from '../prepared.ts';

interface NewNotice {
  readonly id: number;
  readonly serverName: string;
  readonly address: string;
  readonly association: string;
  readonly createdAt: number;
  readonly dueAt: number;
  readonly refusedAt: number | null;
}

/** The statements of every bind. */
export function noticeStatements(engine: Engine) {
  return {
    insert: prepare<NewNotice, unknown>(engine, (db, slot) =>
      db.insertInto('cognomen_notices').values({
        id: slot('id'),
        address: slot('address'),
        association: slot('association'),
        server_name: slot('serverName'),
        created_ts: slot('createdAt'),
        next_attempt_ts: slot('dueAt'),
        refused_ts: slot('refusedAt'),
      }),
    ),
    giveTurn: prepare<{ serverName: string; dueAt: number }, unknown>(engine, (db, slot) =>
      db
        .insertInto('cognomen_notice_servers')
        .values({
          server_name: slot('serverName'),
          failures: 0,
          troubled: 0,
          due_ts: slot('dueAt'),
        })
        .onConflict((conflict) =>
          // One that fails waits its time, and whoever has claimed one looks for more by itself.
          conflict
            .column('server_name')
            .doUpdateSet(({ ref }) => ({ troubled: 0, due_ts: ref('excluded.due_ts') }))
            .where('cognomen_notice_servers.failures', '=', 0)
            .where('cognomen_notice_servers.claimed_by', 'is', null)
            .where(({ or, eb, ref }) =>
              or([
                eb('cognomen_notice_servers.troubled', '=', 1),
                eb('cognomen_notice_servers.due_ts', '>', ref('excluded.due_ts')),
              ]),
            ),
        ),
    ),
  };
}

export type NoticeStatements = ReturnType<typeof noticeStatements>;
