import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createTestDatabase } from './postgres.ts';

/** A database of its own for a test, of one of the engines. */
export interface TestDatabase {
  /** The lines of the `[db]` section that lead to it. */
  readonly config: string;
  drop(): Promise<void>;
}

export const ENGINES = ['sqlite', 'postgres'] as const;
export type EngineName = (typeof ENGINES)[number];

export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cognomen-test-'));
  return { path: folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** An empty database of that engine. */
export async function createDatabase(engine: EngineName): Promise<TestDatabase> {
  if (engine === 'postgres') {
    const database = await createTestDatabase();
    return { config: `db.url = ${database.url.replaceAll('%', '%%')}`, drop: database.drop };
  }
  const folder = await temporaryFolder();
  return { config: `db.file = ${path.join(folder.path, 'sydent.db')}`, drop: folder.remove };
}
