import pino from 'pino';
import type { Config } from '../config/config.ts';
import { readConfig } from '../config/load.ts';
import { surroundings } from '../config/surroundings.ts';
import { OperatorError } from '../platform/operator-error.ts';
import { openForCommand } from '../storage/for-command.ts';
import type { Storage } from '../storage/stores/index.ts';
import type { CommandLine } from './command.ts';
import { orReportFailure } from './report-failure.ts';

/** What a command works on. */
export interface OpenDatabase {
  readonly config: Config;
  readonly storage: Pick<Storage, 'stores' | 'transaction' | 'logTransaction' | 'remnants'>;
}

/** In place of a database that cannot be opened: whatever it is asked throws why. */
const unopened = (error: OperatorError): OpenDatabase['storage'] & { close(): Promise<void> } => ({
  get stores(): never {
    throw error;
  },
  transaction: () => Promise.reject(error),
  logTransaction: () => Promise.reject(error),
  remnants: undefined,
  close: async () => {},
});

/** Whether a command needs the database, goes on where it cannot be opened, or asks nothing of it. */
export type DatabaseNeed = 'needed' | 'wanted' | 'none';

/**
 * Does a command's work on the database of the configuration, also while a server is running on it.
 * @param need where it is not open, what is asked of it throws
 * @returns the exit status: what the work resolves to, or 1 when it failed
 * @throws UsageError
 */
export async function withDatabase(
  line: CommandLine,
  work: (database: OpenDatabase) => Promise<number>,
  need: DatabaseNeed = 'needed',
): Promise<number> {
  const status = await orReportFailure(async () => {
    const { config } = await readConfig(line.config, surroundings());
    const open = () => openForCommand(config.db, pino({ level: 'silent' }));
    const storage =
      need === 'none'
        ? unopened(new OperatorError('The database was not opened'))
        : await open().catch((error: unknown) => {
            if (need === 'wanted' && error instanceof OperatorError) return unopened(error);
            throw error;
          });
    try {
      return await work({ config, storage });
    } finally {
      await storage.close();
    }
  });
  return status ?? 1;
}
