import { readConfig } from '../config/load.ts';
import { surroundings } from '../config/surroundings.ts';
import { backUp } from '../storage/backup.ts';
import type { CommandLine } from './command.ts';
import { orReportFailure } from './report-failure.ts';
import { terminalProgress } from './terminal-progress.ts';

/** `cognomen db backup FILE`; resolves to the exit status. */
export async function backup(line: CommandLine, file: string): Promise<number> {
  const done = await orReportFailure(async () => {
    const { config } = await readConfig(line.config, surroundings());
    await backUp(config.db, file, terminalProgress());
    process.stdout.write(`${file} is a copy of the database, and as secret\n`);
    return true;
  });
  return done ? 0 : 1;
}
