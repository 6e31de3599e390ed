import type { ServerKeys } from '../identity/server-keys.ts';
import type { Clock } from '../platform/clock.ts';
import type { Storage } from '../storage/stores/index.ts';

/** What an operation works with, beside servers that run. */
export interface OperationContext {
  readonly storage: Pick<Storage, 'stores' | 'transaction' | 'logTransaction'>;
  readonly keys: ServerKeys;
  readonly clock: Clock;
}

/** What it is asked: one argument, and options by name. */
export interface OperationInput {
  readonly argument: string | undefined;
  readonly options: Readonly<Record<string, string>>;
}

/** An argument or option that cannot be understood; the message says what is wrong with it. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

interface Described {
  /** As it is called where it is explained, such as `ADDRESS`. */
  readonly name: string;
  readonly about: string;
}

/** Something that operators look at or do: a file of this folder each, in the list of `operations.ts`. */
export interface Operation<Result = unknown> {
  /** What it is about: the command's name. */
  readonly resource: string;
  /** What is done with it; undefined where there is but one thing to do. */
  readonly action?: string;
  /** What it does, in a sentence. */
  readonly summary: string;
  readonly argument?: Described & { readonly required: boolean };
  /** By their names, without the two dashes. */
  readonly options?: Readonly<Record<string, Described>>;
  /** @throws InputError */
  run(input: OperationInput, context: OperationContext): Promise<Result>;
  /** The result, to be read by people; without the end of the last line. */
  text(result: Result): string;
  /** Whether it has found what it was asked for; it always has where this is missing. */
  found?(result: Result): boolean;
}

/** An operation among others, whatever its result is. */
export type AnyOperation = Omit<Operation, 'text' | 'found'> & {
  text(result: never): string;
  found?(result: never): boolean;
};
