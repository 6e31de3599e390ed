import { stat, statfs } from 'node:fs/promises';
import type Database from 'better-sqlite3';
import type { Logger } from 'pino';
import type { Clock } from '../../../platform/clock.ts';
import type { Progress } from '../../../platform/progress.ts';
import { DatabaseOpenError } from '../engine.ts';
import { copyFile } from './copy.ts';

export interface BackupDependencies {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly progress: Progress;
}

/** The copy, and as much again for what the change adds while both old and new are there. */
const SPACE_NEEDED = 3;

const megabytes = (bytes: number) => `${Math.ceil(bytes / 1024 / 1024)} MiB`;

/** The time as file names have it: `20260102T030405`. */
const stamp = (time: number) => new Date(time).toISOString().replace(/[-:]|\.\d+Z$/g, '');

/**
 * Copies the database beside itself before it is changed.
 * @throws DatabaseOpenError when there is no space for that.
 */
export async function backupDatabase(
  db: Database.Database,
  file: string,
  { logger, clock, progress }: BackupDependencies,
): Promise<void> {
  const { size, mode } = await stat(file);
  const { bavail, bsize } = await statfs(file);
  const free = bavail * bsize;
  const needed = size * SPACE_NEEDED;
  if (free < needed) {
    throw new DatabaseOpenError(
      `The database ${file} is to be upgraded, which with a backup beside it takes ${megabytes(needed)}; ${megabytes(free)} are free. Make room, or set [db] db.backup = false and make a backup yourself`,
    );
  }
  const version = db.pragma('user_version', { simple: true });
  const backup = `${file}.backup-v${version}-${stamp(clock.now())}`;
  // One name for all: what a kill left behind is not left for ever.
  const temporary = `${file}.backup.part`;
  logger.info(
    { file, backup, size: megabytes(size) },
    'Backing up the database before changing it',
  );
  try {
    await copyFile(db, backup, { temporary, mode: mode & 0o777, progress });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DatabaseOpenError(`The backup ${backup} could not be written: ${reason}`, {
      cause: error,
    });
  }
}
