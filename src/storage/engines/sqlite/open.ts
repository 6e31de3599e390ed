import { closeSync, existsSync, openSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import type { Logger } from 'pino';
import type { Clock } from '../../../platform/clock.ts';
import type { Progress } from '../../../platform/progress.ts';
import type { Random } from '../../../platform/random.ts';
import type { SqliteConfig } from '../../database-config.ts';
import type { HeldFile, Others } from '../../others.ts';
import { DatabaseOpenError } from '../engine.ts';
import { backupDatabase } from './backup.ts';
import { lockFile, refuseForeignWriters, refuseWhileLocked } from './exclusive.ts';
import { SYDENT_USER_VERSION } from './sydent-schema.ts';
import { tableNames, upgradeSydentDatabase } from './sydent-upgrade.ts';

export interface OpenSqliteDependencies {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly progress: Progress;
  readonly serverName: string;
  /** Where a Sydent on the same file would have noted its process id; empty: nowhere. */
  readonly pidFile: string;
  /** Other processes of this server, for all of which the file is held already. */
  readonly others?: Others | undefined;
}

export interface OpenSqlite {
  readonly handle: Database.Database;
  /** Where it is, links followed; or `:memory:`. */
  readonly path: string;
  /** Opens the file a second time, to read; undefined where there is no file. */
  readonly openReader: (() => Database.Database) | undefined;
  /** Copies the file beside itself, unless that was done already, is switched off or makes no sense. */
  backup(): Promise<void>;
  /** Leaves the one file with everything in it. */
  close(): void;
}

const IN_MEMORY = ':memory:';
/** Milliseconds that the start waits for another program's write. */
const LOCK_PATIENCE = 2000;
/** Milliseconds that a statement waits for another program at the start, and a read later, which hardly ever has to. */
const BUSY_TIMEOUT = { start: 5000, read: 100 };
/**
 * KiB of the file kept in memory: for reading what all lookups go through, however large the file. Binds are as fast
 * with a quarter of that.
 */
const CACHE_SIZE = { write: 4 * 1024, read: 16 * 1024 };

/** Bytes that the log of what was written keeps, once a long reader of another program that it grew for is gone. */
const LOG_SIZE = 64 * 1024 * 1024;

function setUp(handle: Database.Database): void {
  handle.pragma('journal_mode = WAL');
  handle.pragma('synchronous = FULL');
  // What is deleted is overwritten: nobody finds in a page that is free what was erased.
  handle.pragma('secure_delete = ON');
  handle.pragma(`journal_size_limit = ${LOG_SIZE}`);
  handle.pragma(`busy_timeout = ${BUSY_TIMEOUT.start}`);
  handle.pragma(`cache_size = -${CACHE_SIZE.write}`);
}

function connect(file: string): Database.Database {
  const handle = new Database(file, { timeout: LOCK_PATIENCE });
  // Sydent's schema refers to a table that does not exist.
  handle.pragma('foreign_keys = OFF');
  handle.pragma('trusted_schema = OFF');
  return handle;
}

function openReader(file: string): Database.Database {
  const handle = new Database(file, { readonly: true, timeout: BUSY_TIMEOUT.read });
  handle.pragma('trusted_schema = OFF');
  handle.pragma(`cache_size = -${CACHE_SIZE.read}`);
  return handle;
}

/** The version of Sydent's schema in the file, 0 for an empty one. @throws DatabaseOpenError */
export function checkIsSydent(handle: Database.Database, file: string): number {
  const tables = tableNames(handle).filter((name) => !name.startsWith('sqlite_'));
  const version = Number(handle.pragma('user_version', { simple: true }));
  if (version > SYDENT_USER_VERSION) {
    throw new DatabaseOpenError(
      `The database ${file} has user_version ${version}; ${SYDENT_USER_VERSION}, of Sydent 2.7, is the newest that is known`,
    );
  }
  if (tables.length > 0 && !tables.includes('local_threepid_associations')) {
    throw new DatabaseOpenError(
      `The database ${file} is not one of Sydent's: it has the tables ${tables.slice(0, 5).join(', ')}`,
    );
  }
  return version;
}

/** Whether this server has used the file before. */
const isOurs = (handle: Database.Database) => tableNames(handle).includes('cognomen_migrations');

function resolve(file: string): string {
  try {
    if (existsSync(file)) return realpathSync(file);
    const absolute = path.join(realpathSync(path.dirname(path.resolve(file))), path.basename(file));
    closeSync(openSync(absolute, 'a', 0o600));
    // It may have been a link to a file that was yet to be.
    return realpathSync(absolute);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DatabaseOpenError(
      `The database ${file} cannot be created ([db] db.file): ${reason}`,
      {
        cause: error,
      },
    );
  }
}

/** Keeps other servers from the file. @throws DatabaseOpenError when one has it */
async function keepOthersOut(
  file: string,
  { exclusive }: SqliteConfig,
  { clock, pidFile }: Pick<OpenSqliteDependencies, 'clock' | 'pidFile'>,
): Promise<{ release(): void }> {
  const lock = await lockFile(file, clock);
  try {
    if (exclusive) await refuseForeignWriters(file, pidFile, clock);
    return lock;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** The same for all processes of this server, which are to open just that file. @throws DatabaseOpenError */
export async function holdFile(
  config: SqliteConfig,
  deps: Pick<OpenSqliteDependencies, 'clock' | 'pidFile'>,
): Promise<{ readonly file: HeldFile; release(): void }> {
  const path = resolve(config.file);
  const { release } = await keepOthersOut(path, config, deps);
  const { dev, ino } = statSync(path, { bigint: true });
  return { file: { path, dev, ino }, release };
}

/** @throws DatabaseOpenError when another file, or none, is by now where the held one was */
function requireHeld({ path, dev, ino }: HeldFile): void {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (found?.dev === dev && found.ino === ino) return;
  throw new DatabaseOpenError(
    `The database ${path} was ${found === undefined ? 'deleted or moved away' : 'replaced by another file'} while the server runs on it: no further process opens it`,
  );
}

/**
 * Opens a SQLite file for this process, or for the processes of this server, and brings it to Sydent's newest schema,
 * after a backup.
 * @throws DatabaseOpenError with a message for the operator.
 */
export async function openSqlite(
  config: SqliteConfig,
  deps: OpenSqliteDependencies,
): Promise<OpenSqlite> {
  if (config.file === IN_MEMORY) {
    const handle = connect(IN_MEMORY);
    await upgradeSydentDatabase(handle, deps);
    setUp(handle);
    const close = () => handle.close();
    return { handle, path: IN_MEMORY, openReader: undefined, backup: async () => {}, close };
  }
  const held = deps.others?.file;
  if (held !== undefined) requireHeld(held);
  const file = held?.path ?? resolve(config.file);
  const isNew = statSync(file).size === 0;
  const closing: (() => void)[] = [];
  const close = () => {
    for (const step of closing.splice(0).reverse()) step();
  };
  try {
    if (deps.others === undefined) {
      const lock = await keepOthersOut(file, config, deps);
      closing.push(() => lock.release());
    }
    const handle = connect(file);
    closing.push(() => handle.close());
    if (held !== undefined) requireHeld(held);
    if (deps.others?.isFirst === false) {
      setUp(handle);
      const done = async () => {};
      return { handle, path: file, openReader: () => openReader(file), backup: done, close };
    }

    refuseWhileLocked(handle, file);
    const version = checkIsSydent(handle, file);
    let backedUp = isNew || !config.backup;
    const backup = async () => {
      if (!backedUp) await backupDatabase(handle, file, deps);
      backedUp = true;
    };
    if (version < SYDENT_USER_VERSION || !isOurs(handle)) await backup();
    await upgradeSydentDatabase(handle, deps);
    setUp(handle);
    return { handle, path: file, openReader: () => openReader(file), backup, close };
  } catch (error) {
    close();
    if (error instanceof DatabaseOpenError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new DatabaseOpenError(`The database ${file} cannot be opened: ${reason}`, {
      cause: error,
    });
  }
}
