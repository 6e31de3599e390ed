import type { Operator } from '../../identity/operators/operator.ts';
import { IdentityError } from '../../model/errors.ts';
import { anObject, aString, type Schema } from '../../model/json-schema.ts';
import { readLimit } from '../../operations/input.ts';
import {
  type AnyOperation,
  InputError,
  type Operation,
  type OperationContext,
  type OperationInput,
  StateError,
} from '../../operations/operation.ts';
import { recordRefusal, runRecorded } from '../../operations/recorded.ts';
import { OperatorError } from '../../platform/operator-error.ts';
import { createSingleFlight } from '../../platform/single-flight.ts';
import type { Fields } from '../http/arguments.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { ApiError, type Refusal } from '../http/errors.ts';
import { type Field, field, optional, text } from '../http/fields.ts';

/** Bytes of a body: what operations are asked is short. */
const BODY_LIMIT = 64 * 1024;
/** The same where a whole file may be in it. */
const FILE_LIMIT = 512 * 1024;

/** Names as they are in JSON: `ADDRESS|MXID` is address_or_mxid, `expires-days` is expires_days. */
const wireName = (name: string) =>
  name
    .toLowerCase()
    .replaceAll('|', '_or_')
    .replaceAll(/[^a-z0-9_]+/g, '_');

/** In JSON a number is as good as its digits. */
const word = (about: string): Field<string> =>
  field(`a text: ${about}`, { type: ['string', 'integer'] }, (raw) =>
    text.read(Number.isSafeInteger(raw) ? String(raw) : raw),
  );

const flag = (about: string): Field<boolean> =>
  field(`true or false: ${about}`, { type: 'boolean' }, (raw) => {
    if (raw === 'true' || raw === true) return true;
    return raw === 'false' || raw === false ? false : undefined;
  });

/** What an operation takes, by the names on the wire. */
interface Taken {
  readonly fields: Fields;
  input(args: Readonly<Record<string, unknown>>): OperationInput;
  /** The name of an option on the wire, or of the argument. */
  nameOf(option: string | undefined): string | undefined;
}

function takenBy({ argument, options = {}, flags = {} }: AnyOperation): Taken {
  const argumentName = argument && wireName(argument.name);
  const fields: Record<string, Field<unknown>> = {};
  if (argument && argumentName !== undefined) {
    const read = word(argument.about);
    fields[argumentName] = argument.required ? read : optional(read);
  }
  for (const [name, { about, positional }] of Object.entries(options)) {
    const read = word(about);
    fields[wireName(name)] = positional && argument?.required ? read : optional(read);
  }
  for (const [name, about] of Object.entries(flags)) fields[wireName(name)] = optional(flag(about));
  return {
    fields,
    input: (args) => ({
      argument: argumentName === undefined ? undefined : (args[argumentName] as string | undefined),
      options: Object.fromEntries(
        Object.keys(options).flatMap((name) => {
          const value = args[wireName(name)];
          return typeof value === 'string' ? [[name, value] as const] : [];
        }),
      ),
      flags: new Set(Object.keys(flags).filter((name) => args[wireName(name)] === true)),
    }),
    nameOf: (option) => (option === undefined ? argumentName : wireName(option)),
  };
}

const takesFile = ({ options = {} }: AnyOperation) =>
  Object.values(options).some(({ isFile }) => isFile);

const isPaged = ({ options }: AnyOperation) =>
  options?.['after'] !== undefined && options['limit'] !== undefined;

/** Lists become an object, to which something can be added. */
function answerOf(operation: AnyOperation): Schema {
  const { result } = operation;
  if (result.type !== 'array') return result;
  return isPaged(operation)
    ? anObject({ items: result }, { next: aString })
    : anObject({ items: result });
}

function shaped(operation: Operation, input: OperationInput, result: unknown): object {
  if (!Array.isArray(result)) return result as object;
  const last = result.at(-1);
  if (!isPaged(operation) || last === undefined || result.length < readLimit(input)) {
    return { items: result };
  }
  return { items: result, next: operation.cursor?.(last as never) ?? String(last.id) };
}

/** What the endpoints of the admin API work with. */
export interface AdminApiDependencies {
  readonly context: OperationContext;
  /** So many operations run at the same time. */
  readonly atOnce: number;
}

const REFUSALS: readonly Refusal[] = [
  [400, 'M_INVALID_PARAM'],
  [400, 'M_MISSING_PARAMS'],
  [404, 'M_NOT_FOUND'],
  [500, 'M_UNKNOWN'],
];

/** Of what was found and cannot be done with it. */
const BAD_STATE: Refusal = [409, 'M_BAD_STATE'];

const NO_ROOM = 'Too many operations are under way; try again';

type Run = (operation: Operation, input: OperationInput, operator: Operator) => Promise<unknown>;

/** Runs operations for those who may, so many at a time. @throws ApiError, IdentityError, InputError */
function runner({ context, atOnce }: AdminApiDependencies): Run {
  let underWay = 0;
  const flight = createSingleFlight<unknown>();

  const inTurn: Run = async (operation, input, operator) => {
    if (underWay >= atOnce) throw new IdentityError('overloaded', NO_ROOM);
    underWay++;
    try {
      return await runRecorded(operation, input, context, operator);
    } finally {
      underWay--;
    }
  };

  return async (operation, input, operator) => {
    const mayNot = operation.kind === 'change' || operation.operatorsOnly === true;
    if (operator.role !== 'operator' && mayNot) {
      await recordRefusal(operation, input, context, operator);
      throw new ApiError(403, 'M_FORBIDDEN', 'This is for operators: the role is viewer');
    }
    if (operation.kind !== 'overview') return inTurn(operation, input, operator);
    // Who looks again at what takes long, as while the relay hangs, waits for the same and takes nobody's place.
    const { resource, action } = operation;
    const key = JSON.stringify([resource, action, input.argument, input.options, [...input.flags]]);
    return flight(key, () => inTurn(operation, input, operator));
  };
}

function endpointOf(operation: Operation, run: Run): Endpoint {
  const { resource, action, kind, found } = operation;
  const taken = takenBy(operation);
  const takesBody = kind === 'change' && Object.keys(taken.fields).length > 0;
  return endpoint({
    method: kind === 'change' ? 'POST' : 'GET',
    path: `/${[resource, action].filter((part) => part !== undefined).join('/')}`,
    servlet: 'AdminServlet',
    summary: operation.operatorsOnly ? `${operation.summary} (operators only)` : operation.summary,
    answer: answerOf(operation),
    fields: taken.fields,
    refusals: [
      ...REFUSALS,
      ...(takesBody
        ? ([
            [400, 'M_BAD_JSON'],
            [413, 'M_TOO_LARGE'],
          ] as const)
        : []),
      ...(operation.needsState ? [BAD_STATE] : []),
    ],
    faults: ['overloaded'],
    takesNoBody: kind === 'change' && !takesBody,
    refusesUnknown: true,
    bodyLimit: takesFile(operation) ? FILE_LIMIT : BODY_LIMIT,
    async handle(args, { operator }) {
      if (operator === undefined) throw new Error('Nobody was let in');
      const input = taken.input(args);
      try {
        const result = await run(operation, input, operator);
        if (found?.(result) ?? true) return shaped(operation, input, result);
      } catch (error) {
        if (error instanceof InputError) {
          const name = taken.nameOf(error.option);
          throw new ApiError(400, 'M_INVALID_PARAM', error.message, {
            details: name === undefined ? {} : { field: name },
          });
        }
        if (error instanceof StateError) {
          throw new ApiError(...BAD_STATE, error.message, { cause: error });
        }
        if (error instanceof OperatorError) {
          throw new ApiError(500, 'M_UNKNOWN', error.message, { cause: error });
        }
        throw error;
      }
      throw new ApiError(404, 'M_NOT_FOUND', 'Nothing of that kind was found');
    },
  });
}

/** Makes the endpoints of operations, by their resources: GET looks, POST changes. */
export function operationEndpoints(
  operations: readonly AnyOperation[],
  dependencies: AdminApiDependencies,
): ReadonlyMap<string, readonly Endpoint[]> {
  const run = runner(dependencies);
  const open = operations.filter(({ commandOnly }) => !commandOnly) as readonly Operation[];
  const byResource = Map.groupBy(open, ({ resource }) => resource);
  return new Map(
    [...byResource].map(([resource, some]) => [resource, some.map((one) => endpointOf(one, run))]),
  );
}
