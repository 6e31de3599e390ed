import { closeSync, fstatSync, openSync, read } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import type Database from 'better-sqlite3';
import { OperatorError } from '../../../platform/operator-error.ts';
import type { Remnants } from '../../stores/index.ts';
import { isBusy } from './errors.ts';

const readFrom = promisify(read);

/** Bytes read at once. */
const PORTION = 1024 * 1024;
/** Milliseconds between tries to empty the log of what was written, and how many there are. */
const PAUSE = 50;
const TRIES = 100;

interface FileRemnants extends Remnants {
  /** After the file itself: whoever closes it another time ends SQLite's locks on it. */
  close(): void;
}

/** What is left of deleted rows in a SQLite file, and in the log of what was written beside it. */
export function remnantsOf(handle: Database.Database, file: string): FileRemnants | undefined {
  if (file === ':memory:') return undefined;
  let opened: number | undefined;
  const descriptor = () => {
    opened ??= openSync(file, 'r');
    return opened;
  };

  async function clear(): Promise<boolean> {
    for (let time = 0; time < TRIES; time++) {
      if (!handle.inTransaction) {
        const [{ busy } = { busy: 1 }] = handle.pragma('wal_checkpoint(TRUNCATE)') as {
          busy: number;
        }[];
        if (busy === 0) return true;
      }
      // Somebody reads what was before, or writes.
      await wait(PAUSE);
    }
    return false;
  }

  return {
    size: () => fstatSync(descriptor()).size,
    clear,

    async traces(texts) {
      const wanted = texts.filter((text) => text !== '').map((text) => Buffer.from(text));
      const longest = Math.max(0, ...wanted.map(({ length }) => length));
      const buffer = Buffer.alloc(PORTION + longest);
      let count = 0;
      for (let from = 0, kept = 0; ; ) {
        const { bytesRead } = await readFrom(descriptor(), buffer, kept, PORTION, from);
        if (bytesRead === 0) return count;
        const portion = buffer.subarray(0, kept + bytesRead);
        const isNew = (at: number, { length }: Buffer) => at + length > kept;
        for (const text of wanted) {
          for (let at = portion.indexOf(text); at >= 0; at = portion.indexOf(text, at + 1)) {
            if (isNew(at, text)) count++;
          }
        }
        from += bytesRead;
        kept = Math.min(longest, portion.length);
        buffer.copyWithin(0, portion.length - kept, portion.length);
      }
    },

    async rewrite() {
      for (let time = 1; ; time++) {
        try {
          handle.exec('vacuum');
          break;
        } catch (error) {
          if (time === TRIES || !isBusy(error)) {
            const reason = error instanceof Error ? error.message : String(error);
            throw new OperatorError(
              `All is erased, but ${file} could not be written anew: ${reason}. Run the command again`,
              { cause: error },
            );
          }
          await wait(PAUSE);
        }
      }
      await clear();
    },

    close() {
      if (opened !== undefined) closeSync(opened);
    },
  };
}
