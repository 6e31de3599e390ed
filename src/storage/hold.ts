import type { Clock } from '../platform/clock.ts';
import type { DatabaseConfig } from './database-config.ts';
import type { HeldFile } from './others.ts';

/** A database that no other server can take. */
export interface HeldDatabase {
  /** Undefined on PostgreSQL. */
  readonly file: HeldFile | undefined;
  release(): void;
}

/**
 * Takes a SQLite file for all processes of this server, so that each of them can open it; PostgreSQL needs no such thing.
 * @param pidFile where a Sydent on the same file would have noted its process id; empty: nowhere
 * @throws DatabaseOpenError when another server, or Sydent, has it
 */
export async function holdDatabase(
  config: DatabaseConfig,
  { clock, pidFile }: { readonly clock: Clock; readonly pidFile: string },
): Promise<HeldDatabase> {
  if (config.engine === 'postgres') return { file: undefined, release: () => {} };
  const { holdFile } = await import('./engines/sqlite/open.ts');
  return holdFile(config, { clock, pidFile });
}
