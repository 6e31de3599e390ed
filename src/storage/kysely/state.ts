import type { Db } from '../engines/engine.ts';
import type { StateStore } from '../stores/index.ts';

export function stateStore(db: Db): StateStore {
  return {
    async get(name) {
      const row = await db
        .selectFrom('cognomen_state')
        .select('value')
        .where('key', '=', name)
        .executeTakeFirst();
      return row?.value;
    },

    async set(name, value) {
      await db
        .insertInto('cognomen_state')
        .values({ key: name, value })
        .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
        .execute();
    },

    async delete(name) {
      await db.deleteFrom('cognomen_state').where('key', '=', name).execute();
    },
  };
}
