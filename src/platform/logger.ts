import { isatty } from 'node:tty';
import pino, { type Logger } from 'pino';
import type { Clock } from './clock.ts';
import { openLogFile } from './log-file.ts';
import { NAMING_REQUESTS } from './tracing/scope.ts';
import { type LineDestination, tellingErrors, writeTogether } from './write-together.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

export interface LogOptions {
  /** Empty: standard error. */
  readonly path: string;
  readonly level: LogLevel;
  readonly format: 'auto' | 'json' | 'pretty';
}

export interface Logging {
  readonly logger: Logger;
  /** Writes a line to the terminal that the process was started at, when the log goes to a file. */
  readonly terminal: ((line: string) => void) | undefined;
  /** Has each line that tells of an error given to that one, too; to one at a time. */
  readonly reportTo: ReportTo;
  /** Waits until the one who was told of errors has passed them on. */
  reported(): Promise<void>;
  /** Opens the log file again under its name; on standard error it changes nothing. */
  reopen(): void;
  close(): Promise<void>;
}

/** Takes lines that tell of errors, in JSON. */
export interface ErrorListener {
  report(line: string): void;
  /** Waits for what is under way. */
  settled(): Promise<void>;
}

export type ReportTo = (listener: ErrorListener | undefined) => void;

const STDERR = 2;

// A backstop: nothing should log these in the first place.
const SECRETS = [
  'token',
  'access_token',
  'client_secret',
  'clientSecret',
  'password',
  'authorization',
  'private_key',
];

async function prettified(destination: LineDestination, colorize: boolean) {
  // Loaded only here: most servers log JSON.
  const { prettyFactory } = await import('pino-pretty');
  const format = prettyFactory({ colorize, translateTime: 'SYS:standard', ignore: 'hostname' });
  return (line: string) => destination.write(format(line));
}

/** The time as the log has it. Many lines are of one millisecond. */
function timeWriter(clock: Clock): () => string {
  let last = Number.NaN;
  let text = '';
  return () => {
    const now = clock.now();
    if (now !== last) {
      last = now;
      text = `,"time":"${new Date(now).toISOString()}"`;
    }
    return text;
  };
}

/**
 * The server's log: JSON, or readable text on a terminal and where the configuration asks for it.
 * Lines are written at the end of the turn of the event loop that they come in, warnings at once (`writeTogether`).
 * @param deps isShared: whether other processes write to the same place
 * @throws Error when the log file cannot be opened.
 */
export async function createLogger(
  options: LogOptions,
  deps: { readonly clock: Clock; readonly isShared?: boolean },
): Promise<Logging> {
  const file = options.path === '' ? undefined : openLogFile(options.path, deps.clock);
  const raw: LineDestination = file ?? pino.destination({ dest: STDERR, sync: true });
  const watched = isatty(STDERR);
  const terminal = file === undefined && watched;
  const pretty = options.format === 'pretty' || (options.format === 'auto' && terminal);
  let listener: ErrorListener | undefined;
  const together = pretty ? undefined : writeTogether(raw, deps.isShared);
  const write = together?.write ?? (await prettified(raw, terminal));
  const flush = () => together?.flush();
  process.on('exit', flush);
  const logger = pino(
    {
      ...NAMING_REQUESTS,
      level: options.level,
      timestamp: timeWriter(deps.clock),
      formatters: { level: (label) => ({ level: label }), bindings: ({ pid }) => ({ pid }) },
      redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`]), censor: '(hidden)' },
    },
    tellingErrors(write, (line) => listener?.report(line)),
  );
  return {
    logger,
    reportTo(given) {
      listener = given;
    },
    reported: async () => listener?.settled(),
    terminal:
      file !== undefined && watched ? (line) => void process.stderr.write(`${line}\n`) : undefined,
    reopen() {
      flush();
      file?.reopen();
    },
    async close() {
      flush();
      process.off('exit', flush);
      file?.close();
    },
  };
}
