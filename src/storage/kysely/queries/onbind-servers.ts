import type { Db, Engine } from '../../engines/engine.ts';
import type { OnbindServers } from '../../stores/index.ts';

/** Whose turn is when, and who has claimed whom. */
export function onbindServers(engine: Engine, db: Db): OnbindServers {
  return {
    async giveTurn(server_name, dueAt) {
      await db
        .insertInto('cognomen_notice_servers')
        .values({ server_name, failures: 0, troubled: 0, due_ts: dueAt })
        .onConflict((conflict) =>
          // One that fails waits its time, and whoever has claimed one looks for more by itself.
          conflict
            .column('server_name')
            .doUpdateSet({ troubled: 0, due_ts: dueAt })
            .where('cognomen_notice_servers.failures', '=', 0)
            .where('cognomen_notice_servers.claimed_by', 'is', null)
            .where((where) =>
              where.or([
                where('cognomen_notice_servers.troubled', '=', 1),
                where('cognomen_notice_servers.due_ts', '>', dueAt),
              ]),
            ),
        )
        .execute();
    },

    async hasDue(troubled, now) {
      const row = await db
        .selectFrom('cognomen_notice_servers')
        .select('server_name')
        .where('troubled', '=', troubled ? 1 : 0)
        .where('due_ts', '<=', now)
        .limit(1)
        .executeTakeFirst();
      return row !== undefined;
    },

    async claim({ holder, troubled, newestFirst, now, until, limit }) {
      if (limit <= 0) return [];
      const due = db
        .selectFrom('cognomen_notice_servers')
        .select(['server_name', 'failures', 'refused_due_ts'])
        .where('troubled', '=', troubled ? 1 : 0)
        .where('due_ts', '<=', now)
        .orderBy('due_ts', newestFirst ? 'desc' : 'asc')
        .limit(limit);
      const rows = await (engine.locksRows ? due.forUpdate().skipLocked() : due).execute();
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

    async release({ serverName, holder, failures, troubled, refusedDueAt, dueAt }) {
      await db
        .updateTable('cognomen_notice_servers')
        .set({
          failures,
          troubled: troubled ? 1 : 0,
          due_ts: dueAt,
          refused_due_ts: refusedDueAt,
          claimed_by: null,
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
