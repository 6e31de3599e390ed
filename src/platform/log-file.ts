import {
  closeSync,
  existsSync,
  fstatSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import type { Clock } from './clock.ts';
import { OperatorError } from './operator-error.ts';

/** A log file that starts anew at each local midnight, named as Python's logging names them. */
export interface LogFile {
  write(line: string): void;
  /** Closes and opens the same path again, for those who move log files away themselves. */
  reopen(): void;
  close(): void;
}

/** For so long after midnight (ms) another process may just be about to take the file's name away. */
const ROTATING = 1000;

/** As many old files as Sydent keeps. */
const KEPT = 365;

function day(time: number): string {
  const date = new Date(time);
  const pad = (part: number) => String(part).padStart(2, '0');
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

function nextMidnight(time: number): number {
  const date = new Date(time);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + 1).getTime();
}

/**
 * Gives the file another name, unless something has that already: of several processes that write to one file,
 * only one renames it, and none renames over what another has put by.
 */
function putBy(file: string, target: string): boolean {
  try {
    linkSync(file, target);
  } catch {
    // Some file systems have no links.
    if (existsSync(target)) return false;
    renameSync(file, target);
    return true;
  }
  rmSync(file, { force: true });
  return true;
}

/** @throws OperatorError when the file cannot be opened, naming it. */
export function openLogFile(file: string, clock: Clock): LogFile {
  const open = () => {
    try {
      return openSync(file, 'a', 0o640);
    } catch (error) {
      throw new OperatorError(
        `The log file ${file} cannot be opened ([general] log.path): ${error instanceof Error ? error.message : error}`,
        { cause: error },
      );
    }
  };

  const rotate = (endedDay: string) => {
    try {
      if (!putBy(file, `${file}.${endedDay}`)) return;
      const folder = path.dirname(file);
      const prefix = `${path.basename(file)}.`;
      const old = readdirSync(folder)
        .filter((name) => name.startsWith(prefix))
        .filter((name) => /^\d{4}-\d\d-\d\d$/.test(name.slice(prefix.length)))
        .sort();
      for (const name of old.slice(0, -KEPT)) rmSync(path.join(folder, name), { force: true });
    } catch {
      // A file that cannot be renamed goes on growing: better than no log.
    }
  };

  const modified = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  if (modified !== undefined && day(modified) < day(clock.now())) rotate(day(modified));
  let descriptor = open();
  let opened = clock.now();
  let midnight = nextMidnight(opened);
  /** Whether the file is sure to keep its name until midnight. */
  let isSettled = true;

  /** Whether another process has not put it by meanwhile. */
  const isStillThere = () =>
    statSync(file, { throwIfNoEntry: false })?.ino === fstatSync(descriptor).ino;

  const reopen = () => {
    const previous = descriptor;
    descriptor = open();
    closeSync(previous);
  };

  return {
    write(line) {
      try {
        const now = clock.now();
        if (now >= midnight) {
          if (isStillThere()) rotate(day(opened));
          reopen();
          opened = now;
          midnight = nextMidnight(now);
          isSettled = false;
        } else if (!isSettled) {
          if (!isStillThere()) reopen();
          isSettled = now - opened > ROTATING;
        }
        writeSync(descriptor, line);
      } catch {
        // A full disk must not take the server down with it.
      }
    },
    reopen,
    close: () => closeSync(descriptor),
  };
}
