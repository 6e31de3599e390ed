import { type Medium, parseThreePid, type ThreePid } from '../model/addresses.ts';
import { parseMxid } from '../model/mxid.ts';
import type { Page } from '../storage/stores/index.ts';
import { InputError, type OperationInput } from './operation.ts';

const DEFAULT_LIMIT = 100;
const MOST = 1000;

/** How lists are gone through, for the operations that have them. */
export const PAGE_OPTIONS = {
  limit: { name: 'N', about: `So many at most; ${DEFAULT_LIMIT} where it is not said` },
  after: { name: 'ID', about: 'Only those behind that id: the last of the page before' },
} as const;

/** @throws InputError */
export function wholeNumber(name: string, text: string, most: number): number {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= 0 && number <= most) return number;
  throw new InputError(`${name} must be a whole number from 0 to ${most}`, name);
}

/**
 * How many a list has at most.
 * @throws InputError
 */
export const readLimit = ({ options }: OperationInput): number =>
  wholeNumber('limit', options['limit'] ?? String(DEFAULT_LIMIT), MOST);

/** @throws InputError */
export const readPage = (input: OperationInput): Page => ({
  after: wholeNumber('after', input.options['after'] ?? '0', Number.MAX_SAFE_INTEGER),
  limit: readLimit(input),
});

/** The id that the argument is. @throws InputError */
export function readId({ argument = '' }: OperationInput): number {
  const id = /^\d{1,16}$/.test(argument) ? Number(argument) : Number.NaN;
  if (Number.isSafeInteger(id)) return id;
  throw new InputError(
    `${JSON.stringify(argument)} is no id: that is a number, which the list shows`,
  );
}

/**
 * Milliseconds since the epoch, of a day or a time as ISO 8601 has them; where nothing is said of the zone it is UTC.
 * @throws InputError
 */
export function readTime(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const isIso = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)?)?$/.test(text);
  const isZoned = !text.includes('T') || /(Z|[+-]\d\d:\d\d)$/.test(text);
  const time = isIso ? Date.parse(isZoned ? text : `${text}Z`) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new InputError(`${option} must be a time such as 2026-11-27T14:00:00Z`, option);
}

/** Whom an operation is about. */
export type Subject =
  | { readonly kind: 'address'; readonly medium: Medium; readonly address: string }
  | { readonly kind: 'user'; readonly mxid: string };

/** An email address, or a phone number with its calling code. @throws InputError */
export function parseThreePidOf(text: string): ThreePid {
  const threepid = threePidIn(text);
  if (threepid !== undefined) return threepid;
  if (parseMxid(text) !== undefined) {
    throw new InputError(`${JSON.stringify(text)} is a user id, not an address`);
  }
  throw new InputError(
    `${JSON.stringify(text)} is no email address, and no phone number with its calling code`,
  );
}

function threePidIn(text: string): ThreePid | undefined {
  const digits = text.replaceAll(/[\s+().-]/g, '');
  const medium = /^\d+$/.test(digits) ? 'msisdn' : 'email';
  return parseThreePid(medium, medium === 'msisdn' ? digits : text);
}

/** An email address, a phone number with its calling code, or a Matrix user id; addresses folded. @throws InputError */
export function parseSubject(text: string): Subject {
  if (parseMxid(text) !== undefined) return { kind: 'user', mxid: text };
  const threepid = threePidIn(text);
  if (threepid === undefined) {
    throw new InputError(
      `${JSON.stringify(text)} is no email address, no phone number with its calling code, and no Matrix user id`,
    );
  }
  return { kind: 'address', medium: threepid.medium, address: threepid.address };
}

/** Whom a text names, where it names somebody. */
export function subjectIn(text: string): Subject | undefined {
  try {
    return parseSubject(text);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return undefined;
  }
}

/** The folded address that the text is. @throws InputError */
export const parseAddress = (text: string): string => parseThreePidOf(text).address;

/** The folded email address that the text is. @throws InputError */
export function parseEmailAddress(text: string): string {
  const threepid = parseThreePidOf(text);
  if (threepid.medium === 'email') return threepid.address;
  throw new InputError(`${JSON.stringify(text)} is no email address`);
}

/** The text of an option that may be in a file; undefined when it is not given. */
export function textOf(
  { options, files }: OperationInput,
  name: string,
): AsyncIterable<Uint8Array> | Iterable<Uint8Array> | undefined {
  const text = options[name];
  return files?.[name] ?? (text === undefined ? undefined : [Buffer.from(text)]);
}
