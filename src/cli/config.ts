import { existsSync } from 'node:fs';
import { SECTIONS } from '../config/known-keys.ts';
import { loadConfig, readConfig } from '../config/load.ts';
import type { ReadValue } from '../config/reader.ts';
import { surroundings } from '../config/surroundings.ts';
import { OperatorError } from '../platform/operator-error.ts';
import { secureRandom } from '../platform/random.ts';
import type { Command, CommandLine } from './command.ts';
import { orReportFailure } from './report-failure.ts';
import { UsageError } from './usage-error.ts';

const FORMS = `
  cognomen config init
  cognomen config show [--json]
  cognomen config defaults [--json]`;

const HELP = `What the configuration says, and the first one.

Usage:${FORMS}

  init      Write the first configuration, as the first start of a server does: every key with its default and what it means,
            and a new signing key. SYDENT_SERVER_NAME names the server
  show      Every value in force and where it comes from: a file, a variable of the environment, or the default.
            Secrets are not shown
  defaults  Every key with its default, in the form of a configuration

Options:
  --json    As JSON

Exit status: 0 done, 1 the configuration cannot be used, 2 not understood
`;

/** A value as it may be shown. */
interface Shown {
  readonly section: string;
  readonly key: string;
  /** Null: there is none. */
  readonly value: string | null;
  readonly from: string;
}

/** Keys whose values stand in a file as they are. */
const RAW = new Set(
  Object.values(SECTIONS)
    .flat()
    .flatMap(({ name, raw }) => (raw ? [name] : [])),
);
const written = (key: string, value: string) =>
  (RAW.has(key) ? value : value.replaceAll('%', '%%')).replaceAll('\n', '\n    ');

const HIDDEN = '(hidden)';

const shown = ({ key, value, from }: ReadValue): Shown => ({
  section: key.section,
  key: key.name,
  value: key.secret && value && from !== undefined ? HIDDEN : (value ?? null),
  from: from ?? 'default',
});

const defaults = (): Shown[] =>
  Object.values(SECTIONS)
    .flat()
    .filter((key) => !key.deprecated)
    .map((key) => {
      // Of the signing key there is none: one is made.
      const value = key.secret && key.default ? null : (key.default ?? null);
      return { section: key.section, key: key.name, value, from: 'default' };
    });

function asFile(all: readonly Shown[], tellsOrigin: boolean): string {
  const sections = Map.groupBy(all, ({ section }) => section);
  return [...sections]
    .map(([section, values]) => {
      const lines = values.map(({ key, value, from }) => {
        const setting = value === null ? `# ${key} =` : `${key} = ${written(key, value)}`.trimEnd();
        return tellsOrigin ? `# ${from}\n${setting}` : setting;
      });
      return `[${section}]\n${lines.join('\n')}\n`;
    })
    .join('\n');
}

async function show({ config: files, flags }: CommandLine): Promise<void> {
  const { values, warnings } = await readConfig(files, surroundings());
  // What is asked for twice is one value.
  const all = new Map(
    values.map((value) => [`${value.key.section} ${value.key.name}`, shown(value)]),
  );
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
  print([...all.values()], flags.has('json'), true);
}

async function init({ config: files }: CommandLine): Promise<void> {
  const [file = ''] = files;
  if (files.length > 1) throw new UsageError('config init writes one file');
  if (existsSync(file)) throw new OperatorError(`${file} is there already`);
  const { warnings } = await loadConfig({ files, ...surroundings(), random: secureRandom });
  for (const warning of warnings) process.stderr.write(`${warning}\n`);
}

function print(all: readonly Shown[], asJson: boolean, tellsOrigin: boolean): void {
  process.stdout.write(asJson ? `${JSON.stringify(all, null, 2)}\n` : asFile(all, tellsOrigin));
}

const ACTIONS: Readonly<Record<string, (line: CommandLine) => void | Promise<void>>> = {
  init,
  show,
  defaults: ({ flags }) => print(defaults(), flags.has('json'), false),
};

/** Shows the configuration in force, and the defaults. */
export const config: Command = {
  name: 'config',
  summary: 'The configuration in force, and where each value comes from: init, show, defaults',
  flags: ['json'],
  help: HELP,
  takesArguments: true,
  async run(line) {
    const [action, ...more] = line.args;
    const act = action === undefined ? undefined : ACTIONS[action];
    if (more.length > 0 || act === undefined) throw new UsageError(`config wants one of${FORMS}`);
    const done = await orReportFailure(async () => {
      await act(line);
      return true;
    });
    return done ? 0 : 1;
  },
};
