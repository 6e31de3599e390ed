import pino from 'pino';
import type { Config } from '../config/config.ts';
import { readConfig } from '../config/load.ts';
import { surroundings } from '../config/surroundings.ts';
import { openForCommand } from '../storage/for-command.ts';
import type { Storage } from '../storage/stores/index.ts';
import type { CommandLine } from './command.ts';
import { orReportFailure } from './report-failure.ts';

/** What a command works on. */
export interface OpenDatabase {
  readonly config: Config;
  readonly storage: Pick<Storage, 'stores' | 'transaction' | 'logTransaction'>;
}

/**
 * Does a command's work on the database of the configuration, also while a server is running on it.
 * @returns the exit status: what the work resolves to, or 1 when it failed
 * @throws UsageError
 */
export async function withDatabase(
  line: CommandLine,
  work: (database: OpenDatabase) => Promise<number>,
): Promise<number> {
  const status = await orReportFailure(async () => {
    const { config } = await readConfig(line.config, surroundings());
    const storage = await openForCommand(config.db, pino({ level: 'silent' }));
    try {
      return await work({ config, storage });
    } finally {
      await storage.close();
    }
  });
  return status ?? 1;
}
