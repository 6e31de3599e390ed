import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import pg from 'pg';
import { createTestDatabase } from './postgres.ts';

/** A database of its own for a test, of one of the engines. */
export interface TestDatabase {
  /** The lines of the `[db]` section that lead to it. */
  readonly config: string;
  /** Runs a statement beside the server, as Sydent or an operator would; `?` stands for a value. */
  execute(statement: string, values?: readonly (string | number | null)[]): Promise<unknown[]>;
  drop(): Promise<void>;
}

export type EngineName = 'sqlite' | 'postgres';

/** The engines that tests run on, each in turn: both, unless `TEST_ENGINES` names one. */
export const ENGINES = (['sqlite', 'postgres'] as const).filter(
  (engine) => (process.env['TEST_ENGINES'] ?? engine) === engine,
);

export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cognomen-test-'));
  return { path: folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** An empty database of that engine. */
export async function createDatabase(engine: EngineName): Promise<TestDatabase> {
  if (engine === 'postgres') {
    const database = await createTestDatabase();
    return {
      config: `db.url = ${database.url.replaceAll('%', '%%')}`,
      async execute(statement, values = []) {
        const client = new pg.Client(database.url);
        await client.connect();
        try {
          let number = 0;
          const numbered = statement.replaceAll('?', () => `$${++number}`);
          return (await client.query(numbered, [...values])).rows;
        } finally {
          await client.end();
        }
      },
      drop: database.drop,
    };
  }
  const folder = await temporaryFolder();
  const file = path.join(folder.path, 'sydent.db');
  return {
    config: `db.file = ${file}`,
    async execute(statement, values = []) {
      const handle = new Database(file);
      // Sydent's tables refer to one that never was.
      handle.pragma('foreign_keys = OFF');
      try {
        const prepared = handle.prepare(statement);
        return prepared.reader ? prepared.all(...values) : [prepared.run(...values)];
      } finally {
        handle.close();
      }
    },
    drop: folder.remove,
  };
}
