import { closeSync, existsSync, openSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import Database from 'better-sqlite3';
import type { Clock } from '../../../platform/clock.ts';
import {
  describeProcesses,
  listing,
  type OtherProcess,
  processIds,
  processOf,
} from '../../../platform/other-processes.ts';
import { readPidFile } from '../../../platform/pid-file.ts';
import { DatabaseOpenError } from '../engine.ts';

/** A predecessor that is just stopping gets so long to be gone. */
const PATIENCE = 2000;
const POLL_INTERVAL = 100;

/** Access modes of open(2): anything but read-only can write. */
const O_ACCMODE = 0o3;

/** Other processes that have the file open for writing, as far as this one may see (Linux only). */
function writersOf(file: string): OtherProcess[] {
  const target = statSync(file, { throwIfNoEntry: false });
  if (target === undefined) return [];
  return processIds()
    .filter((pid) => pid !== process.pid)
    .filter((pid) =>
      listing(`/proc/${pid}/fd`).some((fd) => {
        try {
          // Most descriptors are not files at all: the link tells that without touching what it names.
          if (!readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('/')) return false;
          const open = statSync(`/proc/${pid}/fd/${fd}`);
          if (open.ino !== target.ino || open.dev !== target.dev) return false;
          const flags = /^flags:\s*([0-7]+)/m.exec(
            readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'),
          )?.[1];
          return (Number.parseInt(flags ?? '0', 8) & O_ACCMODE) !== 0;
        } catch {
          return false;
        }
      }),
    )
    .map(processOf);
}

/** A Sydent of another user, whose files we may not see: its pid file and command line tell. */
function sydentByPidFile(pidFile: string): OtherProcess[] {
  const pid = readPidFile(pidFile);
  if (pid === undefined || pid === process.pid) return [];
  const hidden = listing(`/proc/${pid}`).length > 0 && listing(`/proc/${pid}/fd`).length === 0;
  const other = processOf(pid);
  return hidden && /sydent/i.test(other.command) ? [other] : [];
}

async function patiently<T>(clock: Clock, attempt: () => T | undefined): Promise<T | undefined> {
  const until = clock.monotonic() + PATIENCE;
  for (let tries = 0; tries <= PATIENCE / POLL_INTERVAL; tries++) {
    const result = attempt();
    if (result !== undefined) return result;
    if (clock.monotonic() >= until) return undefined;
    await delay(POLL_INTERVAL);
  }
  return undefined;
}

const isBusy = (error: unknown) =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY');

/** Opens the lock file, which is private: whoever can read it could hold the lock. */
function openLock(lock: string): Database.Database {
  // One that is there is not opened here: closing it would let go of this process's own lock.
  if (!existsSync(lock)) closeSync(openSync(lock, 'a', 0o600));
  return new Database(lock, { timeout: 0 });
}

/**
 * Takes the lock that keeps a second server from the file. The kernel lets go of it when this process
 * ends, however it ends. It is a lock on a file beside: the database itself others may read.
 * @throws DatabaseOpenError when another server has it.
 */
export async function lockFile(file: string, clock: Clock): Promise<{ release(): void }> {
  const lock = `${file}.lock`;
  let handle: Database.Database | undefined;
  try {
    const opened = openLock(lock);
    handle = opened;
    const locked = await patiently(clock, () => {
      try {
        // No journal that a kill could leave behind: nothing is ever written here.
        opened.pragma('journal_mode = MEMORY');
        opened.exec('begin exclusive');
        return true;
      } catch (error) {
        if (!isBusy(error)) throw error;
        return undefined;
      }
    });
    if (locked) return { release: () => opened.close() };
  } catch (error) {
    handle?.close();
    throw new DatabaseOpenError(
      `The lock file ${lock} cannot be used: ${error instanceof Error ? error.message : error}. The server must be able to write to it and to its folder`,
      { cause: error },
    );
  }
  handle.close();
  const holders = describeProcesses(writersOf(lock)) || 'another process';
  throw new DatabaseOpenError(
    `The database ${file} is in use by ${holders}. A SQLite file serves one server at a time: stop the other one first, or use PostgreSQL (db.url) for several`,
  );
}

/** @throws DatabaseOpenError while another program, such as Sydent, has the file open for writing. */
export async function refuseForeignWriters(
  file: string,
  pidFile: string,
  clock: Clock,
): Promise<void> {
  let writers: OtherProcess[] = [];
  const alone = await patiently(clock, () => {
    writers = [...writersOf(file), ...(pidFile === '' ? [] : sydentByPidFile(pidFile))];
    return writers.length === 0 ? true : undefined;
  });
  if (alone) return;
  throw new DatabaseOpenError(
    `The database ${file} is in use by ${describeProcesses(writers)}. Stop that first: Sydent and Cognomen must not run on one file at the same time. (If it only copies the file, set [db] db.exclusive = false)`,
  );
}

/** @throws DatabaseOpenError when another program holds the file's write lock. */
export function refuseWhileLocked(db: Database.Database, file: string): void {
  try {
    db.exec('begin immediate');
    db.exec('rollback');
  } catch (error) {
    if (!isBusy(error)) throw error;
    throw new DatabaseOpenError(
      `The database ${file} is being written by another program; stop that first`,
      { cause: error },
    );
  }
}
