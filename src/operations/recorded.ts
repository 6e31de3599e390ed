import { nameInTrail } from '../identity/erasure/erased-names.ts';
import type { Operator } from '../identity/operators/operator.ts';
import type { AuditEntry } from '../storage/stores/index.ts';
import { subjectIn } from './input.ts';
import {
  InputError,
  type Operation,
  type OperationContext,
  type OperationInput,
} from './operation.ts';

/** Characters of what is written into the trail: longer than any address that there is. */
const LONGEST = 500;

const isOfSomebody = (text: string) => /@|^\+/.test(text);
/** As both databases can hold it. */
const written = (text: string) => text.slice(0, LONGEST).toWellFormed().replaceAll('\0', '?');

/** Whom a text means, as the trail names them: folded, and of one who was erased only what tells nobody who it was. */
export async function nameFor(storage: OperationContext['storage'], text: string): Promise<string> {
  const subject = subjectIn(text);
  if (subject === undefined) return text;
  const plain = subject.kind === 'user' ? subject.mxid : subject.address;
  return (await nameInTrail(storage.stores, subject)) ?? plain;
}

async function entryOf(
  { resource, action, argument, options = {} }: Operation,
  input: OperationInput,
  { who, via, origin }: Operator,
  { storage }: Pick<OperationContext, 'storage'>,
): Promise<Pick<AuditEntry, 'who' | 'via' | 'origin' | 'action' | 'about' | 'details'>> {
  const details: Record<string, string | true> = {};
  // What stands in a file may be long, and is about many.
  for (const name of Object.keys(input.files ?? {})) details[name] = true;
  for (const [name, value] of Object.entries(input.options)) {
    const text = isOfSomebody(value) ? await nameFor(storage, value) : value;
    details[name] = options[name]?.isFile ? true : written(text);
  }
  for (const flag of input.flags) details[flag] = true;
  const about = argument === undefined ? undefined : input.argument;
  return {
    who: written(who),
    via,
    origin,
    action: action === undefined ? resource : `${resource} ${action}`,
    about: about === undefined ? undefined : written(await nameFor(storage, about)),
    details,
  };
}

/** Writes into the trail that somebody asked for what they may not do. */
export async function recordRefusal(
  operation: Operation,
  input: OperationInput,
  { storage, clock }: Pick<OperationContext, 'storage' | 'clock'>,
  operator: Operator,
): Promise<void> {
  const entry = await entryOf(operation, input, operator, { storage });
  await storage.stores.audit.add({ ...entry, at: clock.now(), outcome: 'refused' });
}

/**
 * Runs an operation. What changes something, and each look at people, is in the trail before it begins; what became of it
 * is before its result is known to who asked.
 * @throws InputError
 */
export async function runRecorded(
  operation: Operation,
  input: OperationInput,
  context: OperationContext,
  operator: Operator,
): Promise<unknown> {
  if (operation.kind === 'overview' || operation.unrecorded) return operation.run(input, context);
  const { audit } = context.storage.stores;
  const entry = await entryOf(operation, input, operator, context);
  const id = await audit.add({ ...entry, at: context.clock.now(), outcome: 'begun' });
  let result: unknown;
  try {
    result = await operation.run(input, context);
  } catch (error) {
    await audit.close(id, error instanceof InputError ? 'invalid' : 'failed');
    throw error;
  }
  const [found = true, succeeded = true] = [
    operation.found?.(result),
    operation.succeeded?.(result),
  ];
  await audit.close(id, found ? (succeeded ? 'done' : 'failed') : 'not_found');
  return result;
}
