import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../engines/engine.ts';

/**
 * Associations by their lookup keys. A cross join, as SQLite keeps to the order of one: from the few keys
 * asked for to their associations. Left to choose, it may go through all associations there are.
 */
export const keyedAssociations = (db: Db) =>
  db
    .selectFrom('cognomen_lookup_keys as lookup')
    .crossJoin('global_threepid_associations as global')
    .whereRef('global.id', '=', 'lookup.global_id');

/** Whether the column names that server, in whatever case: for few rows, as no index serves it. */
export const isOrigin = (column: string, serverName: string): RawBuilder<boolean> =>
  sql<boolean>`lower(${sql.ref(column)}) = ${serverName.toLowerCase()}`;
