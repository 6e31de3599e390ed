import type { Db } from '../engines/engine.ts';
import type { NetworkKeyStore } from '../stores/index.ts';

export function networkKeyStore(db: Db): NetworkKeyStore {
  return {
    async keyOf(week, fresh) {
      await db
        .insertInto('cognomen_network_keys')
        .values({ week, key: fresh })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      const { key } = await db
        .selectFrom('cognomen_network_keys')
        .select('key')
        .where('week', '=', week)
        .executeTakeFirstOrThrow();
      return key;
    },

    async deleteBefore(week) {
      await db.deleteFrom('cognomen_network_keys').where('week', '<', week).execute();
    },
  };
}
