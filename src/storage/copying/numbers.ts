import { sql } from 'kysely';
import type { Db, Engine } from '../engines/engine.ts';
import { NUMBERED } from './tables.ts';

/** The next ids are greater than all that there were, also those of rows that are gone: peers have seen them. */
export async function setNumbers(target: Engine, source: Engine): Promise<void> {
  for (const name of NUMBERED) {
    const highest = Math.max(
      await number(source.db, sql`select max(id) as n from ${sql.table(name)}`),
      await lastNumber(source, name),
      name === 'local_threepid_associations'
        ? await number(source.db, sql`select max(${sql.ref('lastSentVersion')}) as n from peers`)
        : 0,
    );
    if (highest < 1) continue;
    await setNumber(target, name, highest);
  }
}

async function setNumber({ name: engine, db }: Engine, table: string, highest: number) {
  if (engine === 'postgres') {
    await sql`select setval(pg_get_serial_sequence(${table}, 'id'), ${highest})`.execute(db);
    return;
  }
  // Of the tables that remember it: the others take the next number behind the rows that they have.
  await db.transaction().execute(async (transaction) => {
    await sql`insert into sqlite_sequence (name, seq)
      select name, 0 from sqlite_master where name = ${table} and lower(sql) like '%autoincrement%'
      and not exists (select 1 from sqlite_sequence where name = ${table})`.execute(transaction);
    await sql`update sqlite_sequence set seq = max(seq, ${highest}) where name = ${table}`.execute(
      transaction,
    );
  });
}

async function number(db: Db, query: ReturnType<typeof sql>): Promise<number> {
  const { rows } = await query.execute(db);
  return Number((rows[0] as { n: number | null } | undefined)?.n ?? 0);
}

/** The last id that the database made for the table, as far as it remembers. */
async function lastNumber({ name: engine, db }: Engine, table: string): Promise<number> {
  if (engine === 'postgres') {
    const sequence = `${table}_id_seq`;
    return number(
      db,
      sql`select last_value as n from pg_sequences where schemaname = current_schema() and sequencename = ${sequence}`,
    );
  }
  const there = await number(
    db,
    sql`select count(*) as n from sqlite_master where name = 'sqlite_sequence'`,
  );
  return there === 0
    ? 0
    : number(db, sql`select seq as n from sqlite_sequence where name = ${table}`);
}
