import { readConfig } from '../config/load.ts';
import { loadTerms } from '../config/terms.ts';
import { hostNames } from '../platform/hostname.ts';
import { report } from './report.ts';
import type { CommandOptions } from './run.ts';

/** Reads the configuration as `serve` does, changes nothing, and says what it found. */
export async function checkConfig({ config: file }: CommandOptions): Promise<number> {
  const loaded = await report(async () => {
    const parsed = await readConfig(file, { env: process.env, ...hostNames() });
    await loadTerms(parsed.config.general.termsPath);
    return parsed;
  });
  if (loaded === undefined) return 1;
  for (const warning of loaded.warnings) process.stdout.write(`warning: ${warning}\n`);
  process.stdout.write(`${file} is good: server.name is ${loaded.config.general.serverName}\n`);
  return 0;
}
