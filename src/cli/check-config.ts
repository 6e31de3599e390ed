import { checkConfiguration, checkNewKey } from '../checks/configuration.ts';
import { type Finding, lineOf, problem, warning } from '../checks/finding.ts';
import type { Config } from '../config/config.ts';
import { ConfigError, type LoadedConfig, readConfig } from '../config/load.ts';
import { CRYPTO } from '../config/sections/crypto.ts';
import { surroundings } from '../config/surroundings.ts';
import { systemClock } from '../platform/clock.ts';
import type { Command, CommandLine } from './command.ts';

const HELP = `Reads the configuration as serve does, and tries what a start would find out: whether the ports are free, the log file,
the pid file and the database can be written, templates, terms and certificates are there and can be used, and whether
database and relay can be reached. It changes nothing, and says all that is wrong at once, with what would be right.

Usage: cognomen check-config [--offline] [--json]

Options:
  --offline  Leaves out what goes over the network: the relay, and PostgreSQL
  --json     The findings as JSON, those that are well included

Works beside a running server, whose own ports are no problem.

Exit status: 0 good, though there may be warnings; 1 wrong; 2 not understood
`;

interface Read {
  /** What was found out by reading alone. */
  readonly findings: readonly Finding[];
  readonly config: Config | undefined;
  /** The sections that problems are in. */
  readonly faulty: ReadonlySet<string>;
}

const WHERE =
  /^(\[[^\]]+\] [^\s:]+(?: = (?:"(?:[^"\\]|\\.)*"|\(hidden\))(?: \(from \w+\))?)?):? (.+)$/s;

/** Takes `[section] key = value: text` apart, as readers of a configuration write it. */
function split(line: string): [about: string, text: string] {
  const [, about = 'configuration', text = line] = WHERE.exec(line) ?? [];
  return [about, text];
}

async function read(files: readonly string[]): Promise<Read> {
  const toWarnings = (warnings: LoadedConfig['warnings']) =>
    warnings.map((line) => warning(...split(line)));
  try {
    const { config, warnings, values } = await readConfig(files, surroundings());
    const hasKey = values.some(({ key, from }) => key === CRYPTO.signingKey && from !== undefined);
    const key = hasKey ? [] : await checkNewKey(files.at(-1) ?? '');
    return { findings: [...key, ...toWarnings(warnings)], config, faulty: new Set() };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const problems = error.problems.map((line) => problem(...split(line)));
    const sections = error.problems.flatMap((line) => /^\[([^\]]+)\]/.exec(line)?.[1] ?? []);
    return {
      findings: [...problems, ...toWarnings(error.read?.warnings ?? [])],
      config: error.read?.config,
      faulty: new Set(sections),
    };
  }
}

const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

async function run({ config: files, flags }: CommandLine): Promise<number> {
  const { findings: first, config, faulty } = await read(files);
  const options = { clock: systemClock, isOffline: flags.has('offline'), faulty };
  const tried = config === undefined ? [] : await checkConfiguration(config, options);
  const findings = [...first, ...tried];
  const [problems, warnings] = (['problem', 'warning'] as const).map((wanted) =>
    findings.filter(({ state }) => state === wanted),
  );
  const isGood = problems?.length === 0;
  if (flags.has('json')) {
    process.stdout.write(`${JSON.stringify({ good: isGood, findings }, null, 2)}\n`);
    return isGood ? 0 : 1;
  }
  const of = files.join(', ');
  const verdict = isGood
    ? `${of} is good: server.name is ${config?.general.serverName}`
    : `${of} is not good: ${counted(problems?.length ?? 0, 'problem')}, ${counted(warnings?.length ?? 0, 'warning')}`;
  const left =
    faulty.size === 0
      ? []
      : [`What goes by ${[...faulty].map((name) => `[${name}]`).join(', ')} was not tried`];
  const lines = [...(problems ?? []), ...(warnings ?? [])].map(lineOf);
  process.stdout.write(`${[...lines, ...left, verdict].join('\n')}\n`);
  return isGood ? 0 : 1;
}

/** Reads the configuration as `serve` does, tries what it names, changes nothing, and says what it found. */
export const checkConfig: Command = {
  name: 'check-config',
  summary: 'Read the configuration, try what it names, and say what is wrong',
  flags: ['json', 'offline'],
  help: HELP,
  run,
};
