import { LONGEST_MXID, parseMxid } from '../../model/mxid.ts';
import { aList, anObject, aString, aTuple, type Schema } from './schema.ts';

/** One argument of an endpoint: how it is read, and what the API description says of it. */
export interface Field<T> {
  /** The value, or undefined when it is none of this kind. */
  read(raw: unknown): T | undefined;
  /** What it must be, to finish the sentence "x must be …". */
  readonly expected: string;
  readonly optional: boolean;
  /** The specification wants it, whether or not this server can do without. */
  readonly specified: boolean;
  readonly schema: Schema;
}

// Text that no database or signature can hold is refused at the edge.
const isStorable = (text: string) => text.isWellFormed() && !text.includes('\0');

/** An argument that must be there; `expected` finishes the sentence "x must be …". */
export function field<T>(
  expected: string,
  schema: Schema,
  read: (raw: unknown) => T | undefined,
): Field<T> {
  return { expected, schema, read, optional: false, specified: true };
}

/** The same, but may be absent or null. */
export function optional<T>(inner: Field<T>): Field<T | undefined> {
  return { ...inner, optional: true, specified: false };
}

/** What the specification wants and this server has no use for: it may be missing, and be anything. */
export function unused(inner: Field<unknown>): Field<unknown> {
  return { ...inner, optional: true, read: () => true };
}

export const text: Field<string> = field('a string', aString, (raw) =>
  typeof raw === 'string' && isStorable(raw) ? raw : undefined,
);

export const texts: Field<string[]> = field('a list of strings', aList(aString), (raw) =>
  Array.isArray(raw) && raw.every((entry) => typeof entry === 'string' && isStorable(entry))
    ? raw
    : undefined,
);

/** Specification, definition of `client_secret`. */
export const clientSecret: Field<string> = field(
  'a string of 1 to 255 characters out of 0-9 a-z A-Z . = _ -',
  { type: 'string', pattern: '^[0-9a-zA-Z.=_-]{1,255}$' },
  (raw) => (typeof raw === 'string' && /^[0-9a-zA-Z.=_-]{1,255}$/.test(raw) ? raw : undefined),
);

/** A session id: any the specification allows; one that this server never gave out is 0. */
export const sid: Field<number> = field('a session id', aString, (raw) => {
  const given = typeof raw === 'number' ? String(raw) : raw;
  if (typeof given !== 'string' || !/^[0-9a-zA-Z.=_-]{1,255}$/.test(given)) return undefined;
  const id = /^[0-9]{1,16}$/.test(given) ? Number(given) : 0;
  return Number.isSafeInteger(id) ? id : 0;
});

/** A whole number, or as text: matrix-js-sdk sends `"1"`, and in v1 everything may be text. */
export const integer: Field<number> = field(
  'a whole number',
  { type: ['integer', 'string'] },
  (raw) => {
    const number =
      typeof raw === 'string' && /^\s*[+-]?[0-9]{1,16}\s*$/.test(raw) ? Number(raw) : raw;
    return typeof number === 'number' && Number.isSafeInteger(number) ? number + 0 : undefined;
  },
);

/** Pairs of medium and address. */
export const threepids: Field<[string, string][]> = field(
  'a list of [medium, address] pairs',
  aList(aTuple(aString, aString)),
  (raw) => {
    const isPair = (pair: unknown): pair is [string, string] =>
      Array.isArray(pair) &&
      pair.length === 2 &&
      pair.every((part) => typeof part === 'string' && isStorable(part));
    return Array.isArray(raw) && raw.every(isPair) ? raw : undefined;
  },
);

/** A Matrix user id. */
export const mxid: Field<string> = field(
  'a Matrix user id such as @user:example.org',
  aString,
  (raw) => (typeof raw === 'string' && parseMxid(raw) !== undefined ? raw : undefined),
);

/** Whatever Sydent binds an address to, such as a user id without a server. */
export const anyMxid: Field<string> = field(
  `a string of 1 to ${LONGEST_MXID} bytes such as @user:example.org`,
  aString,
  (raw) => {
    const read = text.read(raw);
    return read && Buffer.byteLength(read) <= LONGEST_MXID ? read : undefined;
  },
);

/** A room id of any room version: what follows its sigil is nobody else's business. */
export const roomId: Field<string> = field(
  'a room id of at most 255 bytes such as !room:example.org',
  aString,
  (raw) => {
    const read = text.read(raw);
    return read && /^!./su.test(read) && Buffer.byteLength(read) <= 255 ? read : undefined;
  },
);

/** Medium and address of whatever kind: of what is to be forgotten, nothing need be valid. */
export const threepid: Field<{ medium: string; address: string }> = field(
  'an object with medium and address',
  anObject({ medium: aString, address: aString }),
  (raw) => {
    if (typeof raw !== 'object' || raw === null) return undefined;
    const { medium, address } = raw as Record<string, unknown>;
    const [readMedium, readAddress] = [text.read(medium), text.read(address)];
    if (readMedium === undefined || readAddress === undefined) return undefined;
    return { medium: readMedium, address: readAddress };
  },
);
