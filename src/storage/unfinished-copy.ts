import { COPY_STATE } from './copying/tables.ts';
import { DatabaseOpenError, type Db } from './engines/engine.ts';

/** @throws DatabaseOpenError where the database is a copy that was not finished: it would answer for a part of the data */
export async function refuseUnfinishedCopy(db: Db): Promise<void> {
  const row = await db
    .selectFrom('cognomen_state')
    .select('key')
    .where('key', '=', COPY_STATE)
    .executeTakeFirst();
  if (row === undefined) return;
  throw new DatabaseOpenError(
    'The database is a copy that was not finished. Run `cognomen db copy` with the same arguments again: it goes on where it was',
  );
}
