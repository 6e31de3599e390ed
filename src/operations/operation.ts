import type { Config } from '../config/config.ts';
import type { ReadValue } from '../config/reader.ts';
import type { Associations } from '../identity/associations/associations.ts';
import type { MigrationMail } from '../identity/associations/casefold.ts';
import type { SendAgain } from '../identity/invitations/resending.ts';
import type { DeliveryReport } from '../identity/messages/delivery-reports.ts';
import type { TestMessages } from '../identity/messages/test-messages.ts';
import type { ServerKeys } from '../identity/server-keys.ts';
import type { Schema } from '../model/json-schema.ts';
import type { Language } from '../model/languages.ts';
import type { Clock } from '../platform/clock.ts';
import { OperatorError } from '../platform/operator-error.ts';
import type { PhoneNumbers } from '../platform/phone-numbers.ts';
import type { Progress } from '../platform/progress.ts';
import type { Random } from '../platform/random.ts';
import type { Storage } from '../storage/stores/index.ts';

/** What an operation works with: in a server, or in a command beside servers that run. Put together by `app/operating.ts`. */
export interface OperationContext {
  readonly config: Config;
  /** Of a server that runs: what it has read, with the secrets; a command reads it anew. */
  readonly valuesInForce?: readonly ReadValue[] | undefined;
  readonly storage: Pick<Storage, 'stores' | 'transaction' | 'logTransaction' | 'remnants'>;
  readonly keys: ServerKeys;
  readonly clock: Clock;
  readonly random: Random;
  /** To whom long work is told; it is broken off by that, too. */
  readonly progress: Progress;
  /** Mails to those whose binding goes with a spelling of their address; to be closed. */
  migrationMails(): {
    send(mail: MigrationMail): Promise<void>;
    close(): Promise<void>;
  };
  /** Binding and unbinding as the server does it, with all that follows from it. */
  associations(): Promise<Pick<Associations, 'bind' | 'unbind'>>;
  readonly testMessages: TestMessages;
  readonly sendInvitationAgain: SendAgain;
  /** What mails and pages look like, with sample values. */
  readonly previews: {
    readonly names: readonly string[];
    brands(): Promise<readonly string[]>;
    /** Undefined where there is none of that name. @throws Error a template that cannot be used */
    of(asked: {
      readonly name: string;
      readonly brand: string | undefined;
      readonly language: Language;
    }): Promise<
      | {
          readonly brand: string;
          readonly html: string;
          readonly subject: string | undefined;
          readonly text: string | undefined;
        }
      | undefined
    >;
  };
  /** The URL of `sign-ed25519`, for mails of invitations. */
  readonly signUrl: string;
  /** Reports on the delivery of mails, as they come from mail servers. */
  readonly deliveryReports: {
    /** Undefined for any other message. */
    read(message: Buffer): DeliveryReport | undefined;
    /** Octets of a message that are looked at. */
    readonly mostOctets: number;
  };
  /** Sees a rotation to the pepper of that number through; in a server, which does it by itself, no time at all. */
  seeRotationThrough(number: number): Promise<void>;
  readonly parsePhoneNumber: PhoneNumbers['parse'];
}

/** What it is asked: one argument, options by name, and those flags that are set. */
export interface OperationInput {
  readonly argument: string | undefined;
  readonly options: Readonly<Record<string, string>>;
  /** Those options whose text is in a file, to be read in portions: by `textOf`. */
  readonly files?: Readonly<Record<string, AsyncIterable<Uint8Array>>>;
  readonly flags: ReadonlySet<string>;
}

/**
 * What an operation does: it looks at the whole, or at a person, or it changes something. Decides who may, and of what a
 * trail is kept.
 */
export type Kind = 'overview' | 'person' | 'change';

/** An argument or option that cannot be understood; the message says what is wrong with it. */
export class InputError extends Error {
  override readonly name = 'InputError';
  /** The name of the option; undefined: it is the argument. */
  readonly option: string | undefined;

  constructor(message: string, option?: string) {
    super(message);
    this.option = option;
  }
}

/** What is asked for was found, and is in a state in which it cannot be done; the message says why. */
export class StateError extends OperatorError {
  override readonly name = 'StateError';
}

interface Described {
  /** As it is called where it is explained, such as `ADDRESS`. */
  readonly name: string;
  readonly about: string;
}

export interface DescribedOption extends Described {
  /** On a command line it may also stand behind the argument, by itself; required where the argument is. */
  readonly positional?: boolean;
  /** It may be given several times; an operation gets the values with commas between them. */
  readonly isList?: boolean;
  /** A text that may be long: a command line names the file that it is in, elsewhere it is the value. */
  readonly isFile?: boolean;
}

/** Something that operators look at or do: a file of this folder each, in the list of `operations.ts`. */
export interface Operation<Result = unknown> {
  /** What it is about: the command's name. */
  readonly resource: string;
  /** What the resource is, for the list of commands; of the first of those that have an action. */
  readonly about?: string;
  /** What is done with it; undefined where there is but one thing to do. */
  readonly action?: string;
  readonly kind: Kind;
  /** Whether it is not for those who may only look, though it changes nothing. */
  readonly operatorsOnly?: boolean;
  /** Whether the trail of operators leaves it out, though it changes something: it has a trail of its own. */
  readonly unrecorded?: boolean;
  /** Whether it is a command only: its result is for who sits at the machine, such as a secret that is shown once. */
  readonly commandOnly?: boolean;
  /** Whether it may throw a StateError. */
  readonly needsState?: boolean;
  /** What it does, in a sentence. */
  readonly summary: string;
  /** Whether it is to run where the database cannot be opened, too: what it asks of it throws then. */
  readonly worksWithoutDatabase?: boolean;
  /** Whether it asks nothing of the database: a command does not open it. */
  readonly asksNoDatabase?: boolean;
  readonly argument?: Described & { readonly required: boolean };
  /** By their names, without the two dashes. */
  readonly options?: Readonly<Record<string, DescribedOption>>;
  /** What may be said without a value, and what it means, by its name without the two dashes. */
  readonly flags?: Readonly<Record<string, string>>;
  /** The JSON of its result: what is undefined is not there. For the description of the admin API. */
  readonly result: Schema<Result>;
  /** Where the result is a list with an option `after`: what that is to be for those that follow; the `id` without this. */
  cursor?(last: never): string;
  /** @throws InputError */
  run(input: OperationInput, context: OperationContext): Promise<Result>;
  /** The result, to be read by people; without the end of the last line. */
  text(result: Result): string;
  /** Whether it has found what it was asked for; it always has where this is missing. */
  found?(result: Result): boolean;
  /**
   * Whether it went well, where the result tells of what did not: the command's exit status is 1 then, and the admin API
   * answers the result all the same. It always has where this is missing.
   */
  succeeded?(result: Result): boolean;
}

/** An operation among others, whatever its result is. */
export type AnyOperation = Omit<Operation, 'text' | 'found' | 'succeeded' | 'result'> & {
  readonly result: Schema;
  text(result: never): string;
  found?(result: never): boolean;
  succeeded?(result: never): boolean;
};
