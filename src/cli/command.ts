import type { ParseArgsOptionDescriptor } from 'node:util';

/** What the command line says, as far as it concerns the command. */
export interface CommandLine {
  /** The configuration files; later ones win. */
  readonly config: readonly string[];
  /** What stands behind the command's name. */
  readonly args: readonly string[];
  /** The command's own options: the values of each, in their order. */
  readonly own: Readonly<Record<string, readonly string[]>>;
  /** Those of its flags that are given. */
  readonly flags: ReadonlySet<string>;
}

/** A command: a file of this folder each, in the list of commands.ts. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  /** Its own options, such as `key`: each has a value, and may be given several times. */
  readonly options?: readonly string[];
  /** Its own options that have no value, such as `json`. */
  readonly flags?: readonly string[];
  /** What `--help` behind its name prints: how it is called, what it does, its exit statuses. */
  readonly help: string;
  /** Whether something may stand behind its name. */
  readonly takesArguments?: boolean;
  /** Resolves to the exit status. @throws UsageError */
  run(line: CommandLine): Promise<number>;
}

/** How the options of these commands are to be read. */
export const optionsOf = (
  commands: readonly Command[],
): Readonly<Record<string, ParseArgsOptionDescriptor>> =>
  Object.fromEntries([
    ...commands
      .flatMap(({ options = [] }) => options)
      .map((option) => [option, { type: 'string', multiple: true }]),
    ...commands.flatMap(({ flags = [] }) => flags).map((flag) => [flag, { type: 'boolean' }]),
  ]);
