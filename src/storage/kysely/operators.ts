import type { Db } from '../engines/engine.ts';
import type { AdminTokenRow, AdminTokenStore, AuditEntry, AuditStore } from '../stores/index.ts';
import type { Schema } from './schema.ts';

type TokenColumns = Omit<Schema['cognomen_admin_tokens'], 'hash'>;
const TOKEN = ['id', 'role', 'name', 'created_ts', 'expires_ts', 'last_used_ts'] as const;

const toToken = (row: TokenColumns): AdminTokenRow => ({
  id: row.id,
  // Whatever else stands there may not do more.
  role: row.role === 'operator' ? 'operator' : 'viewer',
  name: row.name,
  createdAt: row.created_ts,
  expiresAt: row.expires_ts,
  lastUsedAt: row.last_used_ts ?? undefined,
});

export function adminTokenStore(db: Db): AdminTokenStore {
  return {
    async add({ id, hash, role, name, createdAt, expiresAt }, most) {
      const { count } = await db
        .selectFrom('cognomen_admin_tokens')
        .select((all) => all.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow();
      if (Number(count) >= most) return false;
      await db
        .insertInto('cognomen_admin_tokens')
        .values({ id, hash, role, name, created_ts: createdAt, expires_ts: expiresAt })
        .execute();
      return true;
    },

    async find(hash) {
      const row = await db
        .selectFrom('cognomen_admin_tokens')
        .select(TOKEN)
        .where('hash', '=', hash)
        .executeTakeFirst();
      return row && toToken(row);
    },

    async list() {
      const rows = await db
        .selectFrom('cognomen_admin_tokens')
        .select(TOKEN)
        .orderBy('created_ts')
        .orderBy('id')
        .execute();
      return rows.map(toToken);
    },

    async used(id, now) {
      await db
        .updateTable('cognomen_admin_tokens')
        .set({ last_used_ts: now })
        .where('id', '=', id)
        .execute();
    },

    async remove(id) {
      const { numDeletedRows } = await db
        .deleteFrom('cognomen_admin_tokens')
        .where('id', '=', id)
        .executeTakeFirst();
      return numDeletedRows > 0n;
    },

    async removeEnded(before) {
      const { numDeletedRows } = await db
        .deleteFrom('cognomen_admin_tokens')
        .where('expires_ts', '<', before)
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}

export function auditStore(db: Db): AuditStore {
  return {
    async add({ at, about, details, ...entry }) {
      const { id } = await db
        .insertInto('cognomen_audit')
        .values({ ...entry, at_ts: at, about: about ?? null, details: JSON.stringify(details) })
        .returning('id')
        .executeTakeFirstOrThrow();
      return Number(id);
    },

    async close(id, outcome) {
      await db.updateTable('cognomen_audit').set({ outcome }).where('id', '=', id).execute();
    },

    async list({ about, who, since }, { after, limit }, isNewestFirst = false) {
      // Entries are added in the order of time: which is the first of them an index tells.
      const first =
        since === undefined
          ? undefined
          : await db
              .selectFrom('cognomen_audit')
              .select('id')
              .where('at_ts', '>=', since)
              .orderBy('at_ts')
              .orderBy('id')
              .limit(1)
              .executeTakeFirst();
      if (since !== undefined && first === undefined) return [];
      let entries = db
        .selectFrom('cognomen_audit')
        .selectAll()
        .orderBy('id', isNewestFirst ? 'desc' : 'asc')
        .limit(limit);
      if (!isNewestFirst) entries = entries.where('id', '>', after);
      else if (after > 0) entries = entries.where('id', '<', after);
      if (about !== undefined) entries = entries.where('about', '=', about);
      if (since !== undefined && first !== undefined) {
        entries = entries.where('id', '>=', first.id).where('at_ts', '>=', since);
      }
      if (who !== undefined) entries = entries.where('who', '=', who);
      const rows = await entries.execute();
      return rows.map(
        ({ at_ts: at, about: whom, details, via, outcome, ...row }): AuditEntry => ({
          ...row,
          at,
          via: via as AuditEntry['via'],
          about: whom ?? undefined,
          details: JSON.parse(details) as AuditEntry['details'],
          outcome: outcome as AuditEntry['outcome'],
        }),
      );
    },

    async rename(about, name) {
      const { numUpdatedRows } = await db
        .updateTable('cognomen_audit')
        .set({ about: name })
        .where('about', '=', about)
        .executeTakeFirst();
      return Number(numUpdatedRows);
    },

    async setDetails(id, details) {
      await db
        .updateTable('cognomen_audit')
        .set({ details: JSON.stringify(details) })
        .where('id', '=', id)
        .execute();
    },

    async removeBefore(time, limit) {
      const { numDeletedRows } = await db
        .deleteFrom('cognomen_audit')
        .where('id', 'in', (old) =>
          old
            .selectFrom('cognomen_audit')
            .select('id')
            .where('at_ts', '<', time)
            .orderBy('at_ts')
            .limit(limit),
        )
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}
