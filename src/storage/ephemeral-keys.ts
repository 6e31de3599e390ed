import type { Db } from './engine.ts';
import type { EphemeralKeyStore } from './stores.ts';

export function ephemeralKeyStore(db: Db): EphemeralKeyStore {
  return {
    async countVerification(publicKey) {
      const result = await db
        .updateTable('ephemeral_public_keys')
        .set((update) => ({
          verify_count: update(update.fn.coalesce('verify_count', update.val(0)), '+', 1),
        }))
        .where('public_key', '=', publicKey)
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },
  };
}
