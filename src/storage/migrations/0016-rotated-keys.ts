import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/**
 * The hashes of lookup keys by peppers other than the one in hashing_metadata. They come sorted: the hash stands before
 * the association, is compared byte by byte, and on SQLite the key is all there is.
 */
export const rotatedKeys = (engine: 'sqlite' | 'postgres'): Migration => ({
  async up(db: Kysely<unknown>): Promise<void> {
    const [collation, storage] =
      engine === 'sqlite' ? [sql``, sql`without rowid`] : [sql`collate "C"`, sql``];
    await sql`create table cognomen_rotated_keys (
      pepper integer not null,
      lookup_hash text ${collation} not null,
      global_id bigint not null,
      primary key (pepper, lookup_hash, global_id)
    ) ${storage}`.execute(db);
  },
});
