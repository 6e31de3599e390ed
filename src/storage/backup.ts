import { statSync } from 'node:fs';
import path from 'node:path';
import { OperatorError } from '../platform/operator-error.ts';
import type { Progress } from '../platform/progress.ts';
import type { DatabaseConfig, PostgresConfig } from './database-config.ts';
import { copyFile, refuseExisting } from './engines/sqlite/copy.ts';
import { openBeside } from './for-command.ts';

/** As a word of a shell's command. */
const quoted = (word: string | number) =>
  /^[\w./-]+$/.test(String(word)) ? word : `'${String(word).replaceAll("'", "'\\''")}'`;

/** Without the password, which is asked for, or stands in ~/.pgpass. */
function pgDump({ user, host, port, database }: PostgresConfig, target: string): string {
  const options = { format: 'custom', file: target, host, port, username: user, dbname: database };
  const words = Object.entries(options).map(([name, value]) => `--${name}=${quoted(value)}`);
  return ['pg_dump', ...words].join(' ');
}

/**
 * Copies a SQLite database as it is at one moment to a new file, beside a server that may be running on it.
 * @throws OperatorError when that file is there already, or the database is none of SQLite
 */
export async function backUp(
  config: DatabaseConfig,
  target: string,
  progress: Progress,
): Promise<void> {
  if (config.engine === 'postgres') {
    throw new OperatorError(
      `The database is PostgreSQL, whose own program backs it up: ${pgDump(config, target)}`,
    );
  }
  const folder = path.dirname(target);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new OperatorError(`There is no folder ${folder} for the backup`);
  }
  await refuseExisting(target);
  const handle = openBeside(config.file);
  try {
    const temporary = `${target}.${process.pid}.part`;
    await copyFile(handle, target, { temporary, mode: 0o600, progress });
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new OperatorError(`The backup ${target} could not be written: ${reason}`, {
      cause: error,
    });
  } finally {
    handle.close();
  }
}
