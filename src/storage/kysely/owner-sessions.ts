import type { Medium } from '../../model/addresses.ts';
import type { Db } from '../engines/engine.ts';
import type { OwnerSessionStore } from '../stores/index.ts';

const TABLE = 'cognomen_owner_sessions';

export function ownerSessionStore(db: Db): OwnerSessionStore {
  return {
    async of(browser, now) {
      const rows = await db
        .selectFrom(TABLE)
        .select(['medium', 'address', 'sid', 'proven_ts', 'expires_ts'])
        .where('browser', '=', browser)
        .where('expires_ts', '>', now)
        .orderBy('proven_ts', 'desc')
        .orderBy('address')
        .execute();
      return rows.map((row) => ({
        medium: row.medium as Medium,
        address: row.address,
        sid: row.sid,
        provenAt: row.proven_ts ?? undefined,
        expiresAt: row.expires_ts,
      }));
    },

    async begin(browser, { medium, address, sid, expiresAt }) {
      await db
        .deleteFrom(TABLE)
        .where('browser', '=', browser)
        .where('proven_ts', 'is', null)
        .execute();
      const values = { sid, proven_ts: null, expires_ts: expiresAt };
      await db
        .insertInto(TABLE)
        .values({ browser, medium, address, ...values })
        .onConflict((conflict) =>
          conflict.columns(['browser', 'medium', 'address']).doUpdateSet(values),
        )
        .execute();
    },

    async prove({ browser, next }, sid, { provenAt, expiresAt }) {
      const { numUpdatedRows } = await db
        .updateTable(TABLE)
        .set({ proven_ts: provenAt, expires_ts: expiresAt })
        .where('browser', '=', browser)
        .where('sid', '=', sid)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) return false;
      await db.updateTable(TABLE).set({ browser: next }).where('browser', '=', browser).execute();
      return true;
    },

    async end(browser) {
      await db.deleteFrom(TABLE).where('browser', '=', browser).execute();
    },

    async deleteExpired(now, limit) {
      const some = db
        .selectFrom(TABLE)
        .select('sid')
        .where('expires_ts', '<=', now)
        .orderBy('expires_ts')
        .limit(limit);
      const { numDeletedRows } = await db
        .deleteFrom(TABLE)
        .where('sid', 'in', some)
        .where('expires_ts', '<=', now)
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}
