import { sql } from 'kysely';
import { lookupHash } from '../../../model/lookup-hash.ts';
import { type RotatedPepper, readPeppers, rotatedOf } from '../../../model/lookup-peppers.ts';
import type { Db, Engine, TextList } from '../../engines/engine.ts';
import { prepare } from '../prepared.ts';

/** Under which `cognomen_state` holds which peppers there are. */
export const PEPPERS = 'lookup_peppers';

/**
 * The peppers, for what a statement that changes keys returns: whoever changes them sees at once which there are, and
 * asks for nothing more where nobody has rotated.
 */
export const peppersNow = () =>
  sql<string | null>`(select value from cognomen_state where key = ${sql.lit(PEPPERS)})`;

/** A key, and under which media its address may stand. */
export interface RotatedKey {
  readonly id: number;
  readonly spelling: string;
  readonly media: readonly string[];
}

/** The hashes of keys under the peppers that have hashes of their own. */
export interface RotatedKeys {
  /** @param peppers as they stand in the state, read in the same transaction */
  insert(db: Db, peppers: string | null | undefined, keys: readonly RotatedKey[]): Promise<void>;
  delete(db: Db, peppers: string | null | undefined, keys: readonly RotatedKey[]): Promise<void>;
}

const hashesOf = ({ pepper }: RotatedPepper, keys: readonly RotatedKey[]) =>
  keys.flatMap(({ id, spelling, media }) =>
    media.map((medium) => ({ hash: lookupHash(spelling, medium, pepper), id })),
  );

export function rotatedKeys(engine: Engine): RotatedKeys {
  const insert = prepare<{ number: number; pairs: string }, unknown>(engine, (db, slot) => ({
    compile: () =>
      sql`insert into cognomen_rotated_keys (pepper, lookup_hash, global_id)
        select cast(${slot('number')} as integer), value ->> 0, cast(value ->> 1 as bigint)
        from ${engine.members(slot('pairs'))} where true
        on conflict do nothing`.compile(db),
  }));
  type Deletion = { number: number; hashes: TextList; ids: string };
  const remove = prepare<Deletion, unknown>(engine, (db, slot) => ({
    compile: () =>
      sql`delete from cognomen_rotated_keys where pepper = ${slot('number')}
        and ${engine.isIn('lookup_hash', slot('hashes'))} and global_id in
          (select cast(value ->> 0 as bigint) from ${engine.members(slot('ids'))})`.compile(db),
  }));

  const ofEach =
    (
      change: (db: Db, number: number, hashes: ReturnType<typeof hashesOf>) => Promise<unknown>,
    ): RotatedKeys['insert'] =>
    async (db, peppers, keys) => {
      if (keys.length === 0) return;
      for (const pepper of rotatedOf(readPeppers(peppers ?? undefined))) {
        await change(db, pepper.number, hashesOf(pepper, keys));
      }
    };

  return {
    insert: ofEach((db, number, hashes) =>
      insert(db, { number, pairs: JSON.stringify(hashes.map(({ hash, id }) => [hash, id])) }),
    ),
    // Each of the hashes is of one of the associations, which all lose them.
    delete: ofEach((db, number, hashes) =>
      remove(db, {
        number,
        hashes: engine.list(hashes.map(({ hash }) => hash)),
        ids: JSON.stringify(hashes.map(({ id }) => [id])),
      }),
    ),
  };
}
