import { createReadStream } from 'node:fs';
import { operationContext } from '../app/operating.ts';
import {
  type AnyOperation,
  InputError,
  type Operation,
  type OperationInput,
} from '../operations/operation.ts';
import { OPERATIONS } from '../operations/operations.ts';
import { runRecorded } from '../operations/recorded.ts';
import { OperatorError } from '../platform/operator-error.ts';
import type { Progress } from '../platform/progress.ts';
import type { Command, CommandLine } from './command.ts';
import { commandUser } from './command-user.ts';
import { terminalProgress } from './terminal-progress.ts';
import { UsageError } from './usage-error.ts';
import { type OpenDatabase, withDatabase } from './with-database.ts';

const argumentOf = ({ argument }: AnyOperation): string => {
  if (argument === undefined) return '';
  return argument.required ? ` ${argument.name}` : ` [${argument.name}]`;
};

const positionalOf = ({ options = {} }: AnyOperation) =>
  Object.entries(options).find(([, { positional }]) => positional);

const nameOf = ({ resource, action }: AnyOperation): string =>
  action === undefined ? resource : `${resource} ${action}`;

const formOf = (operation: AnyOperation): string => {
  const options = Object.entries(operation.options ?? {}).map(
    ([option, { name, positional, isList }]) => {
      if (positional) return operation.argument?.required ? ` ${name}` : ` [${name}]`;
      return ` [--${option} ${name}]${isList ? '...' : ''}`;
    },
  );
  const flags = Object.keys(operation.flags ?? {}).map((flag) => ` [--${flag}]`);
  return `cognomen ${nameOf(operation)}${argumentOf(operation)}${[...options, ...flags].join('')}`;
};

const twoColumns = (rows: readonly (readonly [string, string])[]): string => {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, about]) => `  ${name.padEnd(width)}  ${about}`).join('\n');
};

function helpOf(operations: readonly AnyOperation[]): string {
  const actions = operations.flatMap(({ action, summary }) =>
    action === undefined ? [] : [[action, summary] as const],
  );
  const described = operations.flatMap(({ argument, options = {}, flags = {} }) => [
    ...(argument ? [[argument.name, argument.about] as const] : []),
    ...Object.entries(options).map(
      ([option, { name, about, positional }]) =>
        [positional ? name : `--${option} ${name}`, about] as const,
    ),
    ...Object.entries(flags).map(([flag, about]) => [`--${flag}`, about] as const),
  ]);
  const options = [
    ...new Map([...described, ['--json', 'The result as JSON, times in milliseconds']]),
  ];
  const [only] = operations;
  return [
    actions.length === 0 ? `${only?.summary}.` : undefined,
    `Usage:\n${operations.map((operation) => `  ${formOf(operation)}`).join('\n')}`,
    actions.length === 0 ? undefined : twoColumns(actions),
    `Options:\n${twoColumns(options)}`,
    'Works beside a running server.',
    'Exit status: 0 done, 1 failed or nothing found, 2 not understood\n',
  ]
    .filter((part) => part !== undefined)
    .join('\n\n');
}

/** Which operation the line means, and what it asks of it. @throws UsageError */
function understand(
  operations: readonly AnyOperation[],
  { args, own, flags }: CommandLine,
): { operation: Operation; input: OperationInput } {
  const [first, ...others] = args;
  const operation = operations.find(({ action }) => action === undefined || action === first);
  if (operation === undefined) {
    const forms = operations.map((one) => `\n  ${formOf(one)}`).join('');
    throw new UsageError(`${operations[0]?.resource} wants one of${forms}`);
  }
  const rest = operation.action === undefined ? args : others;
  const [argument, ...behind] = rest;
  const [second, behindIt] = positionalOf(operation) ?? [];
  const [value, ...more] = second === undefined ? [undefined, ...behind] : behind;
  const given = Object.entries(own).filter(([option]) => !flags.has(option));
  if (second !== undefined && value !== undefined) given.push([second, [value]]);
  const isGiven = given.some(([option]) => option === second);
  const isMissing =
    operation.argument?.required && (argument === undefined || (second !== undefined && !isGiven));
  const isTooMuch = more.length > 0 || (argument !== undefined && operation.argument === undefined);
  const known = ['json', ...Object.keys({ ...operation.options, ...operation.flags })];
  const foreign = [...given.map(([option]) => option), ...flags].find(
    (option) => !known.includes(option),
  );
  const refuse = (why: string) => {
    throw new UsageError(`${nameOf(operation)} ${why}:\n  ${formOf(operation)}`);
  };
  const wanted = [operation.argument?.name, behindIt?.name].filter((name) => name !== undefined);
  if (isMissing) refuse(`wants ${wanted.join(' and ')}`);
  if (isTooMuch) refuse('takes no further argument');
  if (foreign !== undefined) refuse(`takes no --${foreign}`);
  const options: Record<string, string> = {};
  const files: Record<string, AsyncIterable<Uint8Array>> = {};
  for (const [option, values] of given) {
    const { isFile, isList } = operation.options?.[option] ?? {};
    const [text = '', ...others] = isList ? [values.join()] : values;
    if (others.length > 0 || options[option] !== undefined) {
      throw new UsageError(`give --${option} once`);
    }
    if (isFile) files[option] = portionsOf(text);
    else options[option] = text;
  }
  return { operation: operation as Operation, input: { argument, options, files, flags } };
}

/** What is in the file, or comes on standard input where it is `-`. @throws OperatorError */
async function* portionsOf(file: string): AsyncIterable<Uint8Array> {
  try {
    yield* file === '-' ? process.stdin : createReadStream(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new OperatorError(`${file} cannot be read: ${reason}`, { cause: error });
  }
}

/** @throws UsageError where what is asked cannot be understood */
async function understood<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof InputError ? new UsageError(error.message) : error;
  }
}

/** The terminal as it is once there is something to say: what ends at a signal by itself goes on to do so. */
const onTerminal: Progress = { begin: (...work) => terminalProgress().begin(...work) };

function commandOf(operations: readonly AnyOperation[]): Command {
  const [first] = operations;
  if (first === undefined) throw new Error('A command without operations');
  const actions = operations.flatMap(({ action }) => action ?? []).join(', ');
  return {
    name: first.resource,
    summary: actions === '' ? first.summary : `${first.about ?? first.summary}: ${actions}`,
    options: [...new Set(operations.flatMap(({ options = {} }) => Object.keys(options)))],
    flags: ['json', ...new Set(operations.flatMap(({ flags = {} }) => Object.keys(flags)))],
    help: helpOf(operations),
    takesArguments: true,
    run(line) {
      const { operation, input } = understand(operations, line);
      const perform = async ({ config, storage }: OpenDatabase) => {
        const context = operationContext(config, { storage, progress: onTerminal });
        const result = await understood(() =>
          runRecorded(operation, input, context, commandUser()),
        );
        const text = line.flags.has('json')
          ? JSON.stringify(result, null, 2)
          : operation.text(result);
        process.stdout.write(`${text}\n`);
        const isWell =
          (operation.found?.(result) ?? true) && (operation.succeeded?.(result) ?? true);
        return isWell ? 0 : 1;
      };
      const need = operation.worksWithoutDatabase ? 'wanted' : 'needed';
      return withDatabase(line, perform, operation.asksNoDatabase ? 'none' : need);
    },
  };
}

/** The commands that do what operators do, one for each resource; those of `cli/` may do more with it. */
export const operationCommands: readonly Command[] = [
  ...Map.groupBy(OPERATIONS, ({ resource }) => resource).values(),
].map(commandOf);

/** What a command of `cli/` leaves to the operations of its name. */
export function operationCommand(resource: string): Command {
  const command = operationCommands.find(({ name }) => name === resource);
  if (command === undefined) throw new Error(`There is no operation on ${resource}`);
  return command;
}
