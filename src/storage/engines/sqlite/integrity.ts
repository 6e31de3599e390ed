import type Database from 'better-sqlite3';
import { isDamage } from './errors.ts';

/** What SQLite finds wrong with the file, so many at most, up to where it can be read no further. */
export function integrityFaults(handle: Database.Database, limit: number): string[] {
  const faults: string[] = [];
  const check = handle.prepare<[], string>(`pragma integrity_check(${limit})`).pluck();
  try {
    for (const fault of check.iterate()) if (fault !== 'ok') faults.push(fault);
  } catch (error) {
    if (!isDamage(error)) throw error;
    if (faults.length === 0) faults.push(error instanceof Error ? error.message : String(error));
  }
  return faults;
}
