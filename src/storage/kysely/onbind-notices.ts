import { latestDue } from '../../model/notice-waits.ts';
import type { Db, Engine } from '../engines/engine.ts';
import type { Notice, OnbindNoticeStore } from '../stores/index.ts';
import { toInvite } from './invitations.ts';
import { type NoticeStatements, noticeStatements } from './queries/notice-statements.ts';
import { onbindServers } from './queries/onbind-servers.ts';
import { portions } from './queries/portions.ts';
import type { Schema } from './schema.ts';

const COLUMNS = [
  'id',
  'server_name',
  'association',
  'created_ts',
  'attempts',
  'refused_ts',
] as const satisfies (keyof Schema['cognomen_notices'])[];

/** Among so many of the latest those are looked for that were tried least. */
const LATEST = 100;

function toNotice(row: {
  id: number;
  server_name: string;
  association: string;
  created_ts: number;
  attempts: number;
  refused_ts: number | null;
}): Notice {
  const { id, association, attempts } = row;
  return {
    id,
    association,
    attempts,
    serverName: row.server_name,
    createdAt: row.created_ts,
    refusedAt: row.refused_ts ?? undefined,
  };
}

export function onbindNoticeStore(engine: Engine): (db: Db) => OnbindNoticeStore {
  const statements = noticeStatements(engine);
  return (db) => onbindNoticeStoreOn(engine, db, statements);
}

function onbindNoticeStoreOn(
  engine: Engine,
  db: Db,
  statements: NoticeStatements,
): OnbindNoticeStore {
  const servers = onbindServers(engine, db, statements);

  /** Those of one homeserver, of a kind. */
  const ofServer = (serverName: string, refused: boolean) =>
    db
      .selectFrom('cognomen_notices')
      .where('server_name', '=', serverName)
      .where('refused_ts', refused ? 'is not' : 'is', null);

  const dueOf = (serverName: string, refused: boolean, now: number) =>
    ofServer(serverName, refused).where('next_attempt_ts', '<=', now).select(COLUMNS);

  /** Those that wait longest; of those put off too far only where there is room. */
  async function longestDue(serverName: string, refused: boolean, now: number, limit: number) {
    const due = dueOf(serverName, refused, now).orderBy('next_attempt_ts').limit(limit);
    const rows = await due.execute();
    if (rows.length === limit) return rows;
    const putOffTooFar = ofServer(serverName, refused)
      .where('next_attempt_ts', '>', latestDue(now))
      .select(COLUMNS)
      .orderBy('next_attempt_ts')
      .limit(limit - rows.length);
    return [...rows, ...(await putOffTooFar.execute())];
  }

  async function nextAttempt(serverName: string, refused: boolean): Promise<number | undefined> {
    const row = await ofServer(serverName, refused)
      .select('next_attempt_ts')
      .orderBy('next_attempt_ts')
      .limit(1)
      .executeTakeFirst();
    return row?.next_attempt_ts;
  }

  return {
    ...servers,

    async add(notices) {
      if (notices.length === 0) return;
      // Nearly always one.
      for (const notice of notices) {
        await statements.insert(db, { ...notice, refusedAt: notice.refusedAt ?? null });
      }
      const carried = new Map(
        notices.flatMap(({ id, tokens }) => tokens.map((token) => [token, id] as const)),
      );
      if (carried.size > 0) {
        await db
          .insertInto('cognomen_notice_invites')
          .values([...carried].map(([token, notice_id]) => ({ token, notice_id })))
          .onConflict((conflict) =>
            conflict
              .column('token')
              .doUpdateSet((update) => ({ notice_id: update.ref('excluded.notice_id') })),
          )
          .execute();
      }
      for (const [server_name, dueAt] of new Map(notices.map((n) => [n.serverName, n.dueAt]))) {
        await servers.giveTurn(server_name, dueAt);
      }
    },

    async due(serverName, now, limit) {
      return (await longestDue(serverName, false, now, limit)).map(toNotice);
    },

    async dueRefused(serverName, now, limit) {
      const due = dueOf(serverName, true, now);
      const longest = await longestDue(serverName, true, now, limit);
      if (longest.length < limit) return longest.map(toNotice);
      const half = longest.slice(0, Math.ceil(limit / 2));
      const ids = new Set(half.map(({ id }) => id));
      const latest = await due.orderBy('next_attempt_ts', 'desc').limit(LATEST).execute();
      const least = latest
        .filter(({ id }) => !ids.has(id))
        .toSorted((a, b) => a.attempts - b.attempts)
        .slice(0, limit - half.length);
      return [...half, ...least].map(toNotice);
    },

    async nextAttempts(serverName) {
      return {
        fresh: await nextAttempt(serverName, false),
        refused: await nextAttempt(serverName, true),
      };
    },

    async find(id) {
      const row = await db
        .selectFrom('cognomen_notices')
        .select(COLUMNS)
        .where('id', '=', id)
        .executeTakeFirst();
      return row && toNotice(row);
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

    async remove(ids) {
      for (const portion of portions(ids)) {
        await db.deleteFrom('cognomen_notice_invites').where('notice_id', 'in', portion).execute();
        await db.deleteFrom('cognomen_notices').where('id', 'in', portion).execute();
      }
    },

    async postpone(id, attempts, until) {
      await db
        .updateTable('cognomen_notices')
        .set({ attempts, next_attempt_ts: until })
        .where('id', '=', id)
        .execute();
    },

    async refuse(id, attempts, until, now) {
      await db
        .updateTable('cognomen_notices')
        .set((update) => ({
          attempts,
          next_attempt_ts: until,
          refused_ts: update.fn.coalesce('refused_ts', update.val(now)),
        }))
        .where('id', '=', id)
        .execute();
    },

    owedFor: (addresses) =>
      db
        .selectFrom('cognomen_notices')
        .select(['id', 'association'])
        .where(engine.isAnyOf('address', addresses))
        .execute(),

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
      const count = async (refused: boolean) => {
        const some = db
          .selectFrom('cognomen_notices')
          .select('id')
          .where('refused_ts', refused ? 'is not' : 'is', null)
          .limit(limit);
        const { size } = await db
          .selectFrom(some.as('some'))
          .select((select) => select.fn.countAll<number>().as('size'))
          .executeTakeFirstOrThrow();
        return Number(size);
      };
      const [fresh, refused] = [await count(false), await count(true)];
      const oldest = await db
        .selectFrom('cognomen_notices')
        .select('created_ts')
        .where('refused_ts', 'is', null)
        .orderBy('created_ts')
        .limit(1)
        .executeTakeFirst();
      return { all: fresh + refused, refused, oldest: oldest?.created_ts };
    },
  };
}
