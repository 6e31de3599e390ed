import { latestDue } from '../../../model/notice-waits.ts';
import type { Db, Engine } from '../../engines/engine.ts';
import type { OnbindServers } from '../../stores/index.ts';
import type { NoticeStatements } from './notice-statements.ts';

/** Whose turn is when, and who has claimed whom. */
export function onbindServers(engine: Engine, db: Db, statements: NoticeStatements): OnbindServers {
  /** Of a kind. */
  const serversIn = (troubled: boolean) =>
    db.selectFrom('cognomen_notice_servers').where('troubled', '=', troubled ? 1 : 0);
  // Two questions, as either takes one look at the index.
  const inTurn = (troubled: boolean, now: number) => serversIn(troubled).where('due_ts', '<=', now);
  const putOffTooFar = (troubled: boolean, now: number) =>
    serversIn(troubled).where('due_ts', '>', latestDue(now));

  return {
    async giveTurn(serverName, dueAt) {
      await statements.giveTurn(db, { serverName, dueAt });
    },

    async hasDue(troubled, now) {
      for (const due of [inTurn(troubled, now), putOffTooFar(troubled, now)]) {
        if (await due.select('server_name').limit(1).executeTakeFirst()) return true;
      }
      return false;
    },

    async claim({ holder, troubled, newestFirst, except, now, until, limit }) {
      if (limit <= 0) return [];
      const some = (servers: ReturnType<typeof inTurn>, most: number) => {
        const due = servers
          .select(['server_name', 'failures', 'refused_due_ts'])
          .$if(except.length > 0, (query) => query.where('server_name', 'not in', except))
          .orderBy('due_ts', newestFirst ? 'desc' : 'asc')
          .limit(most);
        return (engine.locksRows ? due.forUpdate().skipLocked() : due).execute();
      };
      const rows = await some(inTurn(troubled, now), limit);
      if (rows.length < limit) {
        rows.push(...(await some(putOffTooFar(troubled, now), limit - rows.length)));
      }
      if (rows.length === 0) return [];
      await db
        .updateTable('cognomen_notice_servers')
        .set({ claimed_by: holder, due_ts: until })
        .where(
          'server_name',
          'in',
          rows.map((row) => row.server_name),
        )
        .execute();
      return rows.map((row) => ({
        serverName: row.server_name,
        failures: row.failures,
        refusedDueAt: row.refused_due_ts,
      }));
    },

    async renew({ holder, until }, serverNames) {
      if (serverNames.length === 0) return new Set();
      const rows = await db
        .updateTable('cognomen_notice_servers')
        .set({ due_ts: until })
        .where('server_name', 'in', serverNames)
        .where('claimed_by', '=', holder)
        .returning('server_name')
        .execute();
      return new Set(rows.map((row) => row.server_name));
    },

    async release({ serverName, holder, failures, troubled, refusedDueAt, dueAt, failure }) {
      await db
        .updateTable('cognomen_notice_servers')
        .set({
          failures,
          troubled: troubled ? 1 : 0,
          due_ts: dueAt,
          refused_due_ts: refusedDueAt,
          claimed_by: null,
          ...(failure && { failure: failure.reason, failed_ts: failure.at }),
        })
        .where('server_name', '=', serverName)
        .where('claimed_by', '=', holder)
        .execute();
    },

    async forget(serverName, holder) {
      await db
        .deleteFrom('cognomen_notice_servers')
        .where('server_name', '=', serverName)
        .where('claimed_by', '=', holder)
        .execute();
    },
  };
}
