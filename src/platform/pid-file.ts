import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

export interface PidFile {
  /** Removes the file, unless another process has made it its own. */
  remove(): void;
}

/**
 * Writes this process's id to the file, in place of any that is there; an empty path means nowhere.
 * @throws Error that names the file and the key it comes from.
 */
export function writePidFile(path: string): PidFile {
  if (path === '') return { remove: () => {} };
  const text = `${process.pid}\n`;
  const temporary = `${path}.${process.pid}`;
  try {
    writeFileSync(temporary, text, { mode: 0o644 });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new Error(
      `The pid file ${path} cannot be written ([general] pidfile.path; leave it empty for none): ${error instanceof Error ? error.message : error}`,
      { cause: error },
    );
  }
  return {
    remove() {
      try {
        if (readFileSync(path, 'utf8') === text) rmSync(path);
      } catch {
        // Gone already, or not ours to remove any more.
      }
    },
  };
}
