import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Config } from '../config/config.ts';
import { type Finding, ok, problem, reasonOf } from './finding.ts';

const { R_OK, W_OK, X_OK } = constants;

/** What of a file keeps it from being written, or made; undefined where nothing does. */
function notWritable(file: string): string | undefined {
  const folder = path.dirname(path.resolve(file));
  const there = statSync(file, { throwIfNoEntry: false });
  if (there?.isDirectory()) return 'it is a folder';
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    return `there is no folder ${folder}`;
  }
  const isAllowed = (name: string, mode: number) => {
    try {
      accessSync(name, mode);
      return true;
    } catch {
      return false;
    }
  };
  if (!isAllowed(folder, W_OK | X_OK)) return `this user may not write in the folder ${folder}`;
  if (there?.isFile() && !isAllowed(file, W_OK)) return 'this user may not write to it';
  return undefined;
}

function writable(key: string, file: string, remedy: string): Finding {
  let reason: string | undefined;
  try {
    reason = notWritable(file);
  } catch (error) {
    reason = reasonOf(error);
  }
  const about = `${key} = ${file}`;
  return reason === undefined
    ? ok(about, 'can be written')
    : problem(about, `cannot be written: ${reason}`, remedy);
}

function readable(key: string, file: string): Finding {
  const about = `${key} = ${file}`;
  try {
    accessSync(file, R_OK);
    readFileSync(file);
    return ok(about, 'can be read');
  } catch (error) {
    return problem(
      about,
      `cannot be read: ${reasonOf(error)}`,
      'name a file that the server may read',
    );
  }
}

/** The files that the server writes, and those with PostgreSQL's certificates, which it reads. */
export function checkFiles({ general, db }: Config): Finding[] {
  const { log, pidFile } = general;
  const findings: Finding[] = [];
  if (log.path !== '') {
    const remedy = 'make the folder, and let the server write in it; or leave the key out';
    findings.push(writable('[general] log.path', log.path, remedy));
  }
  if (pidFile !== '') {
    const remedy = 'name a file in a folder where the server may write; empty: none';
    findings.push(writable('[general] pidfile.path', pidFile, remedy));
  }
  if (db.engine === 'sqlite') {
    if (db.file !== ':memory:') {
      const remedy =
        'name a file in a folder that the server may write in: SQLite makes files beside it';
      findings.push(writable('[db] db.file', db.file, remedy));
    }
    return findings;
  }
  for (const name of ['sslRootCert', 'sslCert', 'sslKey'] as const) {
    const file = db[name];
    if (file !== undefined) findings.push(readable(`[db] db.url, ${name.toLowerCase()}`, file));
  }
  return findings;
}
