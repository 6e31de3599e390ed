import { statSync } from 'node:fs';
import { FileGoneError } from './errors.ts';

/** A file that is open, by the path it was opened at. */
export interface OpenFile {
  readonly path: string;
  /** @throws FileGoneError when the path leads to another file now, or to none */
  check(): void;
}

/** @param path of a file that exists; `:memory:` is never gone */
export function openFile(path: string): OpenFile {
  if (path === ':memory:') return { path, check() {} };
  const opened = statSync(path);
  return {
    path,
    check() {
      const now = statSync(path, { throwIfNoEntry: false });
      if (now?.ino !== opened.ino || now.dev !== opened.dev) {
        throw new FileGoneError(`${path} is not the file that was opened`);
      }
    },
  };
}
