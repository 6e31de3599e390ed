import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/databases.ts';
import { startTestServer } from '../support/server.ts';

const SYDENTS = fileURLToPath(new URL('../fixtures/sydent-2.7/sydent.db', import.meta.url));

/** The tables of a file: their columns, and what their indexes hold, whatever these are called. */
function tablesOf(file: string) {
  const db = new Database(file, { readonly: true, fileMustExist: true });
  const rows = (pragma: string) => db.pragma(pragma) as Record<string, string | number | null>[];
  const names = db
    .prepare("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")
    .pluck()
    .all() as string[];
  const tables = names.map((table) => {
    const columns = rows(`table_info(${table})`).map(
      ({ name, type, notnull, dflt_value, pk }) =>
        `${name} ${String(type).toLowerCase()} ${notnull} ${dflt_value} ${pk}`,
    );
    const indexes = rows(`index_list(${table})`).map(({ name, unique }) => {
      const keys = rows(`index_xinfo("${name}")`).filter(({ key }) => key === 1);
      return `${keys.map((key) => key['name'] ?? 'expression').join(', ')} ${unique}`;
    });
    return [table, { columns: columns.sort(), indexes: [...new Set(indexes)].sort() }] as const;
  });
  const version = db.pragma('user_version', { simple: true });
  db.close();
  return { version, tables: new Map(tables) };
}

test('a database made here has every table, column and index of Sydent 2.7', async () => {
  const folder = await temporaryFolder();
  const file = path.join(folder.path, 'sydent.db');
  const server = await startTestServer({ sections: { db: `db.file = ${file}` } });
  await server.stop();
  const [ours, theirs] = [tablesOf(file), tablesOf(SYDENTS)];
  await folder.remove();
  expect(theirs.tables.size).toBe(12);
  expect(ours.version).toBe(theirs.version);
  for (const [table, { columns, indexes }] of theirs.tables) {
    expect(ours.tables.get(table)?.columns, table).toEqual(columns);
    expect(ours.tables.get(table)?.indexes, table).toEqual(expect.arrayContaining(indexes));
  }
  const own = [...ours.tables.keys()].filter((table) => !theirs.tables.has(table));
  expect(own.filter((table) => !table.startsWith('cognomen_'))).toEqual([]);
});
