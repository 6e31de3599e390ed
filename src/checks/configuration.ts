import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import type { Config } from '../config/config.ts';
import { ConfigError } from '../config/load.ts';
import { loadTerms } from '../config/terms-file.ts';
import type { Clock } from '../platform/clock.ts';
import { checkCertificates } from './certificates.ts';
import { checkDatabase } from './database.ts';
import { checkFiles } from './files.ts';
import { type Finding, ok, problem } from './finding.ts';
import { checkListeners } from './listeners.ts';
import { checkRelay } from './relay.ts';
import { checkTemplates } from './templates.ts';

export interface ConfigurationOptions {
  readonly clock: Clock;
  /** Whether to leave out what goes over the network: the relay, and PostgreSQL. */
  readonly isOffline: boolean;
  /** Sections whose values are not all as they are meant: what goes by them is not tried. */
  readonly faulty: ReadonlySet<string>;
}

async function checkTerms({ general }: Config): Promise<Finding[]> {
  const about = '[general] terms.path';
  try {
    const terms = await loadTerms(general.termsPath);
    return terms === undefined ? [] : [ok(about, `the terms are version ${terms.masterVersion}`)];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const what = error.problems.map((one) => one.replace(`${about}: `, '')).join('; ');
    return [
      problem(about, `${general.termsPath}: ${what}`, 'mend the file, or name the right one'),
    ];
  }
}

/** The first start writes the signing key where there is none. */
export async function checkNewKey(file: string): Promise<Finding[]> {
  const about = '[crypto] ed25519.signingkey';
  try {
    await access(file, constants.W_OK);
    return [ok(about, `there is none yet: the first start writes one to ${file}`)];
  } catch {
    const remedy = 'put a key there that cognomen generate-key prints';
    return [problem(about, `there is none, and the start cannot write one to ${file}`, remedy)];
  }
}

/** Tries whether what a configuration names is there, and changes nothing. In an order: what keeps from a start first. */
export async function checkConfiguration(
  config: Config,
  { clock, isOffline, faulty }: ConfigurationOptions,
): Promise<Finding[]> {
  const checks: readonly {
    readonly by: readonly string[];
    readonly run: () => Finding[] | Promise<Finding[]>;
  }[] = [
    { by: ['general', 'http'], run: () => checkListeners(config) },
    { by: ['general', 'db'], run: () => checkFiles(config) },
    { by: ['http', 'general'], run: () => checkCertificates(config, clock.now()) },
    { by: ['general'], run: () => checkTerms(config) },
    { by: ['general', 'email', 'http'], run: () => checkTemplates(config, clock) },
    ...(isOffline && config.db.engine === 'postgres'
      ? []
      : [{ by: ['db'], run: () => checkDatabase(config) }]),
    ...(isOffline ? [] : [{ by: ['email'], run: () => checkRelay(config) }]),
  ];
  const findings: Finding[] = [];
  for (const { by, run } of checks) {
    if (!by.some((section) => faulty.has(section))) findings.push(...(await run()));
  }
  return findings;
}
