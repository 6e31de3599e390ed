import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { OperatorError } from './operator-error.ts';
import type { Random } from './random.ts';

export interface PidFile {
  /** Removes the file, unless another process has made it its own. */
  remove(): void;
}

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = constants;
const NEW = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
// What is not a file must not be waited for.
const EXISTING = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
const LONGEST = 32;

/** The process id in a file; undefined where there is none. A link is not followed: others may write in the folder. */
export function readPidFile(path: string): number | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, EXISTING);
    if (!fstatSync(file).isFile()) return undefined;
    const buffer = Buffer.alloc(LONGEST);
    const text = buffer.toString('latin1', 0, readSync(file, buffer)).trim();
    return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Makes a new file of that name, in place of nothing; its inode. */
function create(path: string, text: string): number {
  const file = openSync(path, NEW, 0o644);
  try {
    writeSync(file, text);
    return fstatSync(file).ino;
  } finally {
    closeSync(file);
  }
}

/**
 * Writes this process's id to the file, in place of whatever is there: a link itself, not what it names.
 * An empty path means nowhere.
 * @throws OperatorError that names the file and the key it comes from.
 */
export function writePidFile(path: string, random: Random): PidFile {
  if (path === '') return { remove: () => {} };
  // A name that nobody can have put a link under.
  const temporary = `${path}.${random.alphanumeric(16)}`;
  let inode: number | undefined;
  try {
    inode = create(temporary, `${process.pid}\n`);
    renameSync(temporary, path);
  } catch (error) {
    if (inode !== undefined) rmSync(temporary, { force: true });
    throw new OperatorError(
      `The pid file ${path} cannot be written ([general] pidfile.path; leave it empty for none): ${error instanceof Error ? error.message : error}`,
      { cause: error },
    );
  }
  return {
    remove() {
      try {
        const isOurs = lstatSync(path).ino === inode && readPidFile(path) === process.pid;
        if (isOurs) rmSync(path);
      } catch {
        // Gone already, or not ours to remove any more.
      }
    },
  };
}
