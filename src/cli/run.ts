import { parseArgs } from 'node:util';
import { commitOf } from '../platform/commit.ts';
import { VERSION } from '../platform/version.ts';
import { optionsOf } from './command.ts';
import { COMMANDS } from './commands.ts';
import { UsageError } from './usage-error.ts';

/** What `--help` prints where no command is named. */
export function help(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  const commands = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return `cognomen ${VERSION}, a Matrix identity server

Usage: cognomen [COMMAND] [OPTIONS]

Commands:
${commands.join('\n')}

Options:
  -c, --config FILE  The configuration file [default: $SYDENT_CONF, else sydent.conf]; may be
                     given several times, what later ones say wins
  -h, --help         Print this help; behind a command, that command's
  -V, --version      Print the version

Environment, as defaults for what the file does not say:
  SYDENT_CONF, SYDENT_SERVER_NAME, SYDENT_DB_PATH, SYDENT_PID_FILE
Over what the file says: COGNOMEN_<SECTION>_<KEY>, such as COGNOMEN_GENERAL_SERVER_NAME
`;
}

function usageError(message: string, command = ''): number {
  process.stderr.write(`cognomen: ${message}\nTry cognomen ${command}${command && ' '}--help.\n`);
  return 2;
}

/** Node says of an option that it does not know what one could do if it were none. */
const HINT = /\. To specify a positional argument.*$/s;

/** Runs the command line; resolves to the exit status. */
export async function run(args: readonly string[]): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    return usageError((error instanceof Error ? error.message : String(error)).replace(HINT, ''));
  }
  const { values, positionals } = parsed;
  if (values.version) {
    const commit = commitOf();
    process.stdout.write(commit === undefined ? `${VERSION}\n` : `${VERSION} (${commit})\n`);
    return 0;
  }
  const [name = COMMANDS[0].name, ...rest] = positionals;
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (values.help) {
    process.stdout.write((positionals.length > 0 && command?.help) || help());
    return 0;
  }
  if (command === undefined) return usageError(`there is no command ${name}`);
  if (rest.length > 0 && !command.takesArguments) {
    return usageError(`${name} takes no further argument: ${rest.join(' ')}`, name);
  }
  const { config, help: _help, version: _version, ...own } = values;
  const known = [...(command.options ?? []), ...(command.flags ?? [])];
  const foreign = Object.keys(own).find((option) => !known.includes(option));
  if (foreign !== undefined) return usageError(`${name} takes no --${foreign}`, name);
  try {
    return await command.run({
      config: config ?? [process.env['SYDENT_CONF'] || 'sydent.conf'],
      args: rest,
      own: own as Record<string, string[]>,
      flags: new Set(Object.keys(own).filter((option) => command.flags?.includes(option))),
    });
  } catch (error) {
    if (error instanceof UsageError) return usageError(error.message, name);
    throw error;
  }
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...optionsOf(COMMANDS),
      config: { type: 'string', short: 'c', multiple: true },
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean', short: 'V' },
    },
  });
}
