import pino from 'pino';
import { InvalidValueError } from '../config/keys.ts';
import { readConfig } from '../config/load.ts';
import { databaseNamed, forBulk } from '../config/sections/db.ts';
import { surroundings } from '../config/surroundings.ts';
import { systemClock } from '../platform/clock.ts';
import { secureRandom } from '../platform/random.ts';
import { copyDatabase } from '../storage/copying/copy.ts';
import type { DatabaseConfig } from '../storage/database-config.ts';
import type { CommandLine } from './command.ts';
import { orReportFailure } from './report-failure.ts';
import { terminalProgress } from './terminal-progress.ts';
import { UsageError } from './usage-error.ts';

/** How the configuration has to name the database from then on; without a password. */
const lineOf = (database: DatabaseConfig) =>
  database.engine === 'sqlite'
    ? `db.file = ${database.file}, without db.url`
    : 'db.url = that URL (a % in it is written %%)';

function target(argument: string): DatabaseConfig {
  try {
    return databaseNamed(argument);
  } catch (error) {
    if (error instanceof InvalidValueError) throw new UsageError(`--to must be ${error.message}`);
    throw error;
  }
}

/**
 * Copies the configured database to another one, and compares both.
 * @param to the argument of `--to`
 * @returns the exit status
 */
export async function copy(line: CommandLine, to: string): Promise<number> {
  const database = target(to);
  const copied = await orReportFailure(async () => {
    const { config } = await readConfig(line.config, surroundings());
    const { serverName, pidFile } = config.general;
    return copyDatabase(forBulk(config.db), database, {
      logger: pino({ level: 'silent' }),
      clock: systemClock,
      random: secureRandom,
      progress: terminalProgress(),
      serverName,
      pidFile,
    });
  });
  if (copied === undefined) return 1;
  const say = (text: string) => process.stdout.write(`${text}\n`);
  for (const { name, rows } of copied.tables) say(`${name}: ${rows}`);
  for (const name of copied.leftBehind) say(`left behind, as nothing here knows it: ${name}`);
  say(`Copied, and the same in both. Next: [db] ${lineOf(database)}; then start the server.`);
  return 0;
}
