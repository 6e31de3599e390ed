import { readConfig } from '../config/load.ts';
import { surroundings } from '../config/surroundings.ts';
import { loadTerms } from '../config/terms-file.ts';
import type { Command } from './command.ts';
import { orReportFailure } from './report-failure.ts';

const HELP = `Reads the configuration as serve does, changes nothing, and says what is wrong with it.

Usage: cognomen check-config

Exit status: 0 good, 1 wrong, 2 not understood
`;

/** Reads the configuration as `serve` does, changes nothing, and says what it found. */
export const checkConfig: Command = {
  name: 'check-config',
  summary: 'Read the configuration and say what is wrong with it',
  help: HELP,
  async run({ config: files }) {
    const loaded = await orReportFailure(async () => {
      const parsed = await readConfig(files, surroundings());
      await loadTerms(parsed.config.general.termsPath);
      return parsed;
    });
    if (loaded === undefined) return 1;
    for (const warning of loaded.warnings) process.stdout.write(`warning: ${warning}\n`);
    process.stdout.write(
      `${files.join(', ')} is good: server.name is ${loaded.config.general.serverName}\n`,
    );
    return 0;
  },
};
