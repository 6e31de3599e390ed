import type { Db, Engine } from './engine.ts';
import { toInvite } from './invitations.ts';
import type { OutboxStore } from './stores.ts';

export function outboxStore(engine: Engine, db: Db): OutboxStore {
  return {
    async add({ id, serverName, association, createdAt, tokens }) {
      await db
        .insertInto('cognomen_notices')
        .values({
          ...{ id, association },
          server_name: serverName,
          created_ts: createdAt,
          next_attempt_ts: createdAt,
        })
        .execute();
      if (tokens.length > 0) {
        await db
          .insertInto('cognomen_notice_invites')
          .values(tokens.map((token) => ({ token, notice_id: id })))
          .onConflict((conflict) => conflict.column('token').doUpdateSet({ notice_id: id }))
          .execute();
      }
      await db
        .insertInto('cognomen_notice_servers')
        .values({ server_name: serverName, failures: 0, troubled: 0, due_ts: createdAt })
        .onConflict((conflict) =>
          // One that fails waits its time, and whoever has claimed one looks for more by itself.
          conflict
            .column('server_name')
            .doUpdateSet({ due_ts: createdAt })
            .where('cognomen_notice_servers.troubled', '=', 0)
            .where('cognomen_notice_servers.claimed_by', 'is', null)
            .where('cognomen_notice_servers.due_ts', '>', createdAt),
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
        .select(['server_name', 'failures'])
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
      return rows.map((row) => ({ serverName: row.server_name, failures: row.failures }));
    },

    async renew(holder, serverNames, until) {
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

    async release({ serverName, holder, failures, dueAt }) {
      await db
        .updateTable('cognomen_notice_servers')
        .set({ failures, troubled: failures > 0 ? 1 : 0, due_ts: dueAt, claimed_by: null })
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

    async due(serverName, now, limit) {
      const rows = await db
        .selectFrom('cognomen_notices')
        .select(['id', 'association', 'attempts'])
        .where('server_name', '=', serverName)
        .where('next_attempt_ts', '<=', now)
        .orderBy('next_attempt_ts')
        .limit(limit)
        .execute();
      return rows.map((row) => ({ ...row, serverName }));
    },

    async nextAttempt(serverName) {
      const row = await db
        .selectFrom('cognomen_notices')
        .select('next_attempt_ts')
        .where('server_name', '=', serverName)
        .orderBy('next_attempt_ts')
        .limit(1)
        .executeTakeFirst();
      return row?.next_attempt_ts;
    },

    async invitesOf(id) {
      const rows = await db
        .selectFrom('cognomen_notice_invites as carried')
        .innerJoin('invite_tokens as invite', 'invite.token', 'carried.token')
        .where('carried.notice_id', '=', id)
        .where('invite.sent_ts', 'is', null)
        .select([
          'invite.medium',
          'invite.address',
          'invite.room_id',
          'invite.sender',
          'invite.token',
        ])
        .orderBy('invite.id')
        .execute();
      return rows.map(toInvite);
    },

    async remove(id) {
      await db.deleteFrom('cognomen_notice_invites').where('notice_id', '=', id).execute();
      await db.deleteFrom('cognomen_notices').where('id', '=', id).execute();
    },

    async postpone(id, attempts, until) {
      await db
        .updateTable('cognomen_notices')
        .set({ attempts, next_attempt_ts: until })
        .where('id', '=', id)
        .execute();
    },

    async oldest(serverName) {
      const row = await db
        .selectFrom('cognomen_notices')
        .select('created_ts')
        .where('server_name', '=', serverName)
        .orderBy('created_ts')
        .limit(1)
        .executeTakeFirst();
      return row?.created_ts;
    },

    async removeCreatedBefore(serverName, time, limit) {
      const rows = await db
        .selectFrom('cognomen_notices')
        .select('id')
        .where('server_name', '=', serverName)
        .where('created_ts', '<=', time)
        .orderBy('created_ts')
        .limit(limit)
        .execute();
      const ids = rows.map((row) => row.id);
      if (ids.length === 0) return 0;
      await db.deleteFrom('cognomen_notice_invites').where('notice_id', 'in', ids).execute();
      await db.deleteFrom('cognomen_notices').where('id', 'in', ids).execute();
      return ids.length;
    },

    async measure(limit) {
      const { size } = await db
        .selectFrom(db.selectFrom('cognomen_notices').select('id').limit(limit).as('some'))
        .select((select) => select.fn.countAll<number>().as('size'))
        .executeTakeFirstOrThrow();
      const oldest = await db
        .selectFrom('cognomen_notices')
        .select('created_ts')
        .orderBy('created_ts')
        .limit(1)
        .executeTakeFirst();
      return { size: Number(size), oldest: oldest?.created_ts };
    },
  };
}
