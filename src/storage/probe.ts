import { existsSync } from 'node:fs';
import type { Logger } from 'pino';
import type { DatabaseConfig } from './database-config.ts';
import { checkIsSydent } from './engines/sqlite/open.ts';
import { openBeside, openBesideOthers } from './for-command.ts';
import { hasPendingMigrations } from './migrations/index.ts';
import { refuseUnfinishedCopy } from './unfinished-copy.ts';

/**
 * Opens the database beside servers that may run on it, and changes nothing.
 * @returns `new`: there is none, and a start makes it; `older`: a start brings it up to date
 * @throws DatabaseOpenError with a message for the operator
 */
export async function probeDatabase(
  config: DatabaseConfig,
  logger: Logger,
): Promise<'new' | 'older' | 'ready'> {
  if (config.engine === 'sqlite') {
    if (config.file === ':memory:' || !existsSync(config.file)) return 'new';
    const handle = openBeside(config.file);
    try {
      checkIsSydent(handle, config.file);
    } finally {
      handle.close();
    }
  }
  const engine = await openBesideOthers(config, logger);
  try {
    if (await hasPendingMigrations(engine)) return 'older';
    await refuseUnfinishedCopy(engine.db);
    return 'ready';
  } finally {
    await engine.close();
  }
}
