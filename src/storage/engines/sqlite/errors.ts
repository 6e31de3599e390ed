/** SQLite's name of what went wrong; empty for what is not from there. */
const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : '';

/** Whether another connection stands in the way. */
export const isBusy = (error: unknown): boolean => /^SQLITE_(?:BUSY|LOCKED)/.test(codeOf(error));

/** The file was deleted, or another put in its place, while it was open; the message says what is to be done. */
export class FileGoneError extends Error {
  override readonly name = 'FileGoneError';
  readonly code = 'SQLITE_READONLY_DBMOVED';
}

/** There is next to no room on the disk. */
export class FullError extends Error {
  override readonly name = 'FullError';
  readonly code = 'SQLITE_FULL';
}

/** What passes by itself or by what an operator does, by the beginning of SQLite's name for it. */
const REASONS: readonly [code: string, reason: (file: string, code: string) => string][] = [
  ['SQLITE_BUSY', (file) => `another program holds the write lock of ${file}`],
  ['SQLITE_LOCKED', (file) => `another program holds the write lock of ${file}`],
  ['SQLITE_FULL', (file) => `the disk of ${file} is full: make room there`],
  [
    'SQLITE_READONLY',
    (file) => `${file} may not be written: look at its owner and mode, and at those of its folder`,
  ],
  [
    'SQLITE_CANTOPEN',
    (file) => `${file}, or what is beside it, cannot be opened: look at owners and modes`,
  ],
  ['SQLITE_IOERR', (file, code) => `${file} cannot be read or written (${code}): look at its disk`],
];

/** Why the file cannot be used for now; undefined when something else is wrong. */
export function reasonOf(error: unknown, file: string): string | undefined {
  if (error instanceof FileGoneError) return error.message;
  const code = codeOf(error);
  return REASONS.find(([begin]) => code.startsWith(begin))?.[1](file, code);
}

/** Whether it is the file itself that is not as it should be. */
export const isDamage = (error: unknown): boolean =>
  /^SQLITE_(?:CORRUPT|NOTADB)/.test(codeOf(error));

/** The error, with the file's name where it is what is wrong with the file. */
export function namingFile(error: unknown, file: string): unknown {
  const code = codeOf(error);
  if (!isDamage(error)) return error;
  const what = error instanceof Error ? error.message : '';
  const named = new Error(`The database ${file} is damaged (${what}): restore it from a backup`, {
    cause: error,
  });
  return Object.assign(named, { code });
}
