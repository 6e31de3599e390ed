import { fillSqlite } from '../bench/data.ts';

export { addressOf, mxidOf } from '../bench/data.ts';

/** So many bindings are in the database that the demo takes over. */
export const TAKEN_OVER = 5000;

/** Writes a database as Sydent leaves it. */
export const writeSydentDatabase = (file: string): Promise<void> =>
  fillSqlite(file, TAKEN_OVER, 100);
