import { createHash } from 'node:crypto';
import Database from 'better-sqlite3';
import pg from 'pg';
import type { TestDatabase } from '../support/databases.ts';

/** Tells what was written into a database. */
export interface Ledger {
  /** The tables whose rows are others than when it was asked last. */
  changed(): Promise<string[]>;
  close(): Promise<void>;
}

interface Reader {
  /** Another value after each write, and perhaps at other times. */
  version(): Promise<unknown>;
  tables(): Promise<string[]>;
  /** All rows of a table, as a text. */
  rows(table: string): Promise<string>;
  close(): Promise<void>;
}

function sqliteReader(file: string): Reader {
  const db = new Database(file, { readonly: true });
  return {
    version: async () => db.pragma('data_version', { simple: true }),
    tables: async () =>
      db
        .prepare<[], { name: string }>("select name from sqlite_master where type = 'table'")
        .all()
        .map(({ name }) => name),
    rows: async (table) => JSON.stringify(db.prepare(`select * from "${table}"`).raw().all()),
    close: async () => void db.close(),
  };
}

async function postgresReader(url: string): Promise<Reader> {
  const client = new pg.Client(url);
  await client.connect();
  const first = async (statement: string) => Object.values((await client.query(statement)).rows[0]);
  return {
    version: async () => (await first('select pg_snapshot_xmax(pg_current_snapshot())::text'))[0],
    tables: async () =>
      (await client.query("select tablename from pg_tables where schemaname = 'public'")).rows.map(
        ({ tablename }) => tablename,
      ),
    rows: async (table) =>
      String(
        (await first(`select string_agg(t::text, ' ' order by t::text) from "${table}" t`))[0],
      ),
    close: () => client.end(),
  };
}

/** A look at the server's database from beside it. */
export async function openLedger({ config }: TestDatabase): Promise<Ledger> {
  const [key, value = ''] = config.split(' = ');
  const isPostgres = key === 'db.url';
  const reader = isPostgres
    ? await postgresReader(value.replaceAll('%%', '%'))
    : sqliteReader(value);
  const known = new Map<string, string>();
  let version: unknown;

  async function changed(): Promise<string[]> {
    const newest = await reader.version();
    if (newest === version) return [];
    version = newest;
    const names: string[] = [];
    for (const table of await reader.tables()) {
      const digest = createHash('sha256')
        .update(await reader.rows(table))
        .digest('hex');
      if (known.get(table) !== digest) names.push(table);
      known.set(table, digest);
    }
    return names;
  }
  await changed();
  return { changed, close: reader.close };
}
