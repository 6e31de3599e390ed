import type { Db, Engine } from '../engines/engine.ts';
import type { EphemeralKeyStore } from '../stores/index.ts';

export function ephemeralKeyStore(engine: Engine, db: Db): EphemeralKeyStore {
  return {
    async countVerification(publicKey, now) {
      const result = await db
        .updateTable('ephemeral_public_keys')
        .set((update) => ({
          verify_count: update(update.fn.coalesce('verify_count', update.val(0)), '+', 1),
        }))
        .where('public_key', '=', publicKey)
        .where((where) =>
          where.not(
            where.exists(
              db
                .selectFrom('cognomen_invite_keys as own')
                .where('own.public_key', '=', publicKey)
                .where('own.valid_until', '<=', now)
                .select('own.public_key'),
            ),
          ),
        )
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },

    async deleteExpired(now, limit) {
      const expired = db
        .selectFrom('cognomen_invite_keys')
        .select('public_key')
        .where('valid_until', '<=', now)
        .limit(limit);
      const rows = await (engine.locksRows ? expired.forUpdate().skipLocked() : expired).execute();
      const keys = rows.map((row) => row.public_key);
      if (keys.length === 0) return 0;
      await db.deleteFrom('ephemeral_public_keys').where('public_key', 'in', keys).execute();
      await db.deleteFrom('cognomen_invite_keys').where('public_key', 'in', keys).execute();
      return keys.length;
    },
  };
}
