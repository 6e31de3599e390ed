import pino from 'pino';
import type { Config } from '../config/config.ts';
import { probeDatabase } from '../storage/probe.ts';
import { type Finding, ok, problem, reasonOf } from './finding.ts';

const SAID = {
  new: 'there is none yet: the first start makes it',
  older: 'the next start brings it up to date',
  ready: 'is there and up to date',
} as const;

/** Opens the database, and changes nothing. */
export async function checkDatabase({ db }: Config): Promise<Finding[]> {
  const about = db.engine === 'sqlite' ? `[db] db.file = ${db.file}` : '[db] db.url';
  try {
    return [ok(about, SAID[await probeDatabase(db, pino({ level: 'silent' }))])];
  } catch (error) {
    return [problem(about, reasonOf(error), 'start the database, or mend the key')];
  }
}
