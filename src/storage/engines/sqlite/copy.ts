import { chmod, lstat, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import Database from 'better-sqlite3';
import { OperatorError } from '../../../platform/operator-error.ts';
import type { Progress } from '../../../platform/progress.ts';

export interface CopyOptions {
  /** In the target's folder: what the copy is called until it is whole. */
  readonly temporary: string;
  /** Permissions of the copy. */
  readonly mode: number;
  readonly progress: Progress;
}

/** Copied without a break. */
const PAGES_AT_ONCE = 1000;

const exists = (file: string) =>
  lstat(file).then(
    () => true,
    () => false,
  );

/** @throws OperatorError when something stands where the copy is to be, or SQLite would take it for a part of it */
export async function refuseExisting(target: string): Promise<void> {
  for (const file of [target, `${target}-wal`, `${target}-shm`, `${target}-journal`]) {
    if (await exists(file)) throw new OperatorError(`${file} is there already`);
  }
}

async function sync(target: string, flags: string): Promise<void> {
  const handle = await open(target, flags);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Gives a whole file its name, once it is on the disk. @throws OperatorError when something has that name by now */
export async function putInPlace(temporary: string, target: string): Promise<void> {
  await sync(temporary, 'r+');
  await refuseExisting(target);
  await rename(temporary, target);
  await sync(path.dirname(target), 'r');
}

/**
 * Copies all pages as they are at one moment. By itself SQLite's backup begins anew whenever another process writes
 * between two steps: beside a writer without a pause, 84 MB (100,000 associations) were begun 1500 times in 4 s and not
 * finished until it stopped. Within a read transaction it stays with what that sees: 0.4 s, and no write waited longer
 * than 70 ms, which is as good as `VACUUM INTO`, and the steps in between tell how far it is and can be broken off.
 * Meanwhile the log of what is written (`-wal`) grows, as beside every long reader.
 */
async function copyPages(handle: Database.Database, to: string, progress: Progress): Promise<void> {
  const task = await progress.begin('Backing up the database (pages)', 0);
  handle.exec('begin');
  try {
    // The transaction begins with its first read.
    handle.prepare('select count(*) from sqlite_master').get();
    await handle.backup(to, {
      progress({ totalPages, remainingPages }) {
        task.reached(totalPages - remainingPages, totalPages);
        return PAGES_AT_ONCE;
      },
    });
  } finally {
    if (handle.inTransaction) handle.exec('rollback');
  }
  task.end();
}

/** Makes it a file that needs nothing beside it, not even to be opened for reading only. */
function makeSelfContained(file: string): void {
  const copy = new Database(file, { fileMustExist: true });
  try {
    copy.pragma('journal_mode = DELETE');
  } finally {
    copy.close();
  }
}

/**
 * Copies an open database, also while others write it, to a file that is whole and on the disk once it has its name.
 * @throws what SQLite or the disk says; then nothing is left
 */
export async function copyFile(
  handle: Database.Database,
  target: string,
  { temporary, mode, progress }: CopyOptions,
): Promise<void> {
  try {
    await rm(temporary, { force: true });
    // Private from its first byte on.
    await (await open(temporary, 'wx', 0o600)).close();
    await copyPages(handle, temporary, progress);
    makeSelfContained(temporary);
    await chmod(temporary, mode);
    await putInPlace(temporary, target);
  } catch (error) {
    for (const end of ['', '-journal', '-wal', '-shm']) {
      await rm(`${temporary}${end}`, { force: true });
    }
    throw error;
  }
}
