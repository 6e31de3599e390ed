import { existsSync } from 'node:fs';
import { loadConfig, readConfig } from '../config/load.ts';
import { asFile, shownDefaults } from '../config/shown-values.ts';
import { surroundings } from '../config/surroundings.ts';
import { OperatorError } from '../platform/operator-error.ts';
import { secureRandom } from '../platform/random.ts';
import type { Command, CommandLine } from './command.ts';
import { operationCommand } from './operation-commands.ts';
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

async function show(line: CommandLine): Promise<number> {
  const { warnings } = await readConfig(line.config, surroundings());
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
  return operationCommand('config').run(line);
}

async function init({ config: files }: CommandLine): Promise<void> {
  const [file = ''] = files;
  if (files.length > 1) throw new UsageError('config init writes one file');
  if (existsSync(file)) throw new OperatorError(`${file} is there already`);
  const { warnings } = await loadConfig({ files, ...surroundings(), random: secureRandom });
  for (const warning of warnings) process.stderr.write(`${warning}\n`);
}

async function defaults({ flags }: CommandLine): Promise<void> {
  const all = shownDefaults();
  const text = flags.has('json') ? JSON.stringify(all, null, 2) : asFile(all, false);
  process.stdout.write(`${text}\n`);
}

const ACTIONS: Readonly<Record<string, (line: CommandLine) => Promise<unknown>>> = {
  init,
  show,
  defaults,
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
    const status = await orReportFailure(async () => {
      const exit = await act(line);
      return typeof exit === 'number' ? exit : 0;
    });
    return status ?? 1;
  },
};
