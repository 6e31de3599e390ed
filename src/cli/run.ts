import { parseArgs } from 'node:util';
import { VERSION } from '../platform/version.ts';
import { checkConfig } from './check-config.ts';
import { generateKey } from './generate-key.ts';
import { peers } from './peers.ts';
import { serve } from './serve.ts';
import { UsageError } from './usage-error.ts';

export interface CommandOptions {
  /** The configuration file. */
  readonly config: string;
  /** What stands behind the command's name. */
  readonly args: readonly string[];
  /** Options of the command's own. */
  readonly own: Partial<Record<OwnOption, readonly string[]>>;
}

export type OwnOption = 'key' | 'port' | 'url';

interface Command {
  readonly summary: string;
  /** The options it takes beside those of every command; one that takes any, or arguments, says so. */
  readonly takes?: readonly OwnOption[];
  /** Resolves to the exit status. */
  readonly run: (options: CommandOptions) => Promise<number>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  serve: { summary: 'Run the server (the default)', run: serve },
  'check-config': {
    summary: 'Read the configuration and say what is wrong with it',
    run: checkConfig,
  },
  'generate-key': {
    summary: 'Print a new signing key for [crypto] ed25519.signingkey',
    run: generateKey,
  },
  peers: {
    summary: 'Servers that replicate with this one: list, add, remove, enable, disable, status',
    takes: ['key', 'port', 'url'],
    run: peers,
  },
};

function help(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const commands = Object.entries(COMMANDS).map(
    ([name, command]) => `  ${name.padEnd(width)}  ${command.summary}`,
  );
  return `cognomen ${VERSION}, a Matrix identity server

Usage: cognomen [COMMAND] [OPTIONS]

Commands:
${commands.join('\n')}

Options:
  -c, --config FILE  The configuration file [default: $SYDENT_CONF, else sydent.conf]
  -h, --help         Print this help
  -V, --version      Print the version

Environment, as defaults for what the file does not say:
  SYDENT_CONF, SYDENT_SERVER_NAME, SYDENT_DB_PATH, SYDENT_PID_FILE
`;
}

function usageError(message: string): number {
  process.stderr.write(`cognomen: ${message}\nTry cognomen --help.\n`);
  return 2;
}

/** Runs the command line; resolves to the exit status. */
export async function run(args: readonly string[]): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    return usageError(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = parsed;
  if (values.help) {
    process.stdout.write(help());
    return 0;
  }
  if (values.version) {
    process.stdout.write(`${VERSION}\n`);
    return 0;
  }
  const [name = 'serve', ...rest] = positionals;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) return usageError(`there is no command ${name}`);
  if (rest.length > 0 && command.takes === undefined) {
    return usageError(`${name} takes no further argument: ${rest.join(' ')}`);
  }
  const { config, help: _help, version: _version, ...own } = values;
  const foreign = Object.keys(own).find((option) => !command.takes?.some((o) => o === option));
  if (foreign !== undefined) return usageError(`${name} takes no --${foreign}`);
  try {
    return await command.run({
      config: config ?? (process.env['SYDENT_CONF'] || 'sydent.conf'),
      args: rest,
      own,
    });
  } catch (error) {
    if (error instanceof UsageError) return usageError(error.message);
    throw error;
  }
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      config: { type: 'string', short: 'c' },
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean', short: 'V' },
      key: { type: 'string', multiple: true },
      port: { type: 'string', multiple: true },
      url: { type: 'string', multiple: true },
    },
  });
}
