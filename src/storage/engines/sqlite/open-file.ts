import { readdirSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import path from 'node:path';
import { FileGoneError, FullError } from './errors.ts';

/** Bytes that must be free on the disk for it to count as one with room again. */
const ROOM = 1024 * 1024;

/** A file that is open, by the path it was opened at. */
export interface OpenFile {
  readonly path: string;
  /** @throws FileGoneError when the path leads to another file now, or to none */
  check(): void;
  /** @throws FullError while the disk has next to no room */
  checkRoom(): Promise<void>;
}

type Identity = Readonly<Record<'dev' | 'ino', bigint>>;

function identityOf(file: string): Identity | undefined {
  try {
    return statSync(file, { bigint: true });
  } catch {
    // Whatever the reason: the next start would not find it either.
    return undefined;
  }
}

const isSame = (one: Identity | undefined, other: Identity | undefined) =>
  one?.ino === other?.ino && one?.dev === other?.dev;

/** Where Linux shows what this process has open, whatever has become of its name. */
function descriptorOf(opened: Identity | undefined): string | undefined {
  const folder = `/proc/${process.pid}/fd`;
  try {
    return readdirSync(folder)
      .map((name) => path.join(folder, name))
      .find((descriptor) => isSame(opened, identityOf(descriptor)));
  } catch {
    return undefined;
  }
}

/** What has become of the file, and what an operator is to do. */
function advice(file: string, opened: Identity | undefined): string {
  const what = identityOf(file) ? 'replaced by another file' : 'deleted or moved away';
  const descriptor = descriptorOf(opened);
  const copy = descriptor === undefined ? '' : `: cp ${descriptor} ${file}.rescued`;
  return [
    `${file} was ${what} while it was open, and nothing is written any more.`,
    'All that was answered until then is in the file that is still open, and is lost when the server stops.',
    `If it was moved, move it back. Else, before anything is stopped, copy what is open${copy}.`,
    `Then stop the server, put the copy, or the file that is wanted instead, in the place of ${file},`,
    `see that ${path.basename(file)}-wal and ${path.basename(file)}-shm are not there, and start the server.`,
  ].join(' ');
}

/**
 * To be called right after it was opened. Nothing here opens it again: to close that would end SQLite's locks.
 * @param file a path that exists; `:memory:` is never gone
 */
export function openFile(file: string): OpenFile {
  if (file === ':memory:') return { path: file, check() {}, async checkRoom() {} };
  const opened = identityOf(file);
  let told: string | undefined;
  return {
    path: file,
    check() {
      if (isSame(opened, identityOf(file))) {
        told = undefined;
        return;
      }
      told ??= advice(file, opened);
      throw new FileGoneError(told);
    },
    async checkRoom() {
      const { bavail, bsize } = await statfs(file);
      if (bavail * bsize < ROOM) throw new FullError(`The disk of ${file} is full`);
    },
  };
}
