import type { Db, Engine } from '../engines/engine.ts';
import type { StateStore } from '../stores/index.ts';
import { prepare } from './prepared.ts';

export function stateStore(engine: Engine): (db: Db) => StateStore {
  const set = prepare<{ key: string; value: string }, unknown>(engine, (db, slot) =>
    db
      .insertInto('cognomen_state')
      .values({ key: slot('key'), value: slot('value') })
      .onConflict((conflict) => conflict.column('key').doUpdateSet({ value: slot('value') })),
  );

  return (db) => ({
    async get(name) {
      const row = await db
        .selectFrom('cognomen_state')
        .select('value')
        .where('key', '=', name)
        .executeTakeFirst();
      return row?.value;
    },

    async set(key, value) {
      await set(db, { key, value });
    },

    async delete(name) {
      await db.deleteFrom('cognomen_state').where('key', '=', name).execute();
    },
  });
}
