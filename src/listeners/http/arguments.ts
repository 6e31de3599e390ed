import { ApiError, badJson, invalidParam } from './errors.ts';
import type { Field } from './fields.ts';
import { collectPairs, type Pair, parseQuery, urlencodedPairs } from './form.ts';
import { parseJson } from './json.ts';
import { boundaryOf, multipartPairs } from './multipart.ts';

/** Arguments as they came, before anything is known of their types. */
export type RawArguments = ReadonlyMap<string, unknown>;

export type Fields = Readonly<Record<string, Field<unknown>>>;

/** What reading those fields gives. */
export type Arguments<F extends Fields> = {
  readonly [Name in keyof F]: F[Name] extends Field<infer T> ? T : never;
};

/** The part of a request that arguments come from. */
export interface ArgumentSource {
  readonly method: string;
  readonly contentType: string | undefined;
  /** Behind the `?`, not decoded. */
  readonly query: string;
  readonly body: Buffer | undefined;
}

function members(value: unknown): RawArguments {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badJson('The request body is not a JSON object');
  }
  return new Map(Object.entries(value));
}

/** The parameters of a body that is a form; none in a body of another type. */
function formPairs({ contentType = '', body }: ArgumentSource): Iterable<Pair | undefined> {
  const mediaType = contentType.split(';', 1)[0]?.trim().toLowerCase();
  if (body === undefined) return [];
  if (mediaType === 'application/x-www-form-urlencoded') {
    return urlencodedPairs(body.toString('latin1'));
  }
  const boundary = mediaType === 'multipart/form-data' ? boundaryOf(contentType) : undefined;
  return boundary === undefined ? [] : multipartPairs(body, boundary);
}

/** v1: a JSON object in the body, else query string and form together. */
function v1Arguments(source: ArgumentSource): RawArguments {
  if (source.method !== 'POST') return parseQuery(source.query);
  // As Sydent has it: whatever begins so is JSON.
  if ((source.contentType ?? '').trimStart().toLowerCase().startsWith('application/json')) {
    const value = parseJson(source.body);
    return value === null ? parseQuery(source.query) : members(value);
  }
  return collectPairs(urlencodedPairs(source.query), formPairs(source));
}

/** v2: JSON whatever the Content-Type; the query string of a GET. */
function v2Arguments(source: ArgumentSource): RawArguments {
  return source.method === 'POST' ? members(parseJson(source.body)) : parseQuery(source.query);
}

export type ArgumentStyle = 'v1' | 'v2';

/** @throws ApiError `M_BAD_JSON`, `M_INVALID_PARAM` */
export function rawArguments(style: ArgumentStyle, source: ArgumentSource): RawArguments {
  return style === 'v1' ? v1Arguments(source) : v2Arguments(source);
}

/** Whether every argument that must be there is. */
export function isComplete(fields: Fields, raw: RawArguments): boolean {
  return Object.entries(fields).every(([name, field]) => field.optional || raw.has(name));
}

/** @throws ApiError `M_INVALID_PARAM` where there is an argument of another name */
export function refuseUnknown(fields: Fields, raw: RawArguments): void {
  for (const name of raw.keys()) {
    if (Object.hasOwn(fields, name)) continue;
    const known = Object.keys(fields).join(', ');
    throw invalidParam(
      `There is no parameter ${JSON.stringify(name.slice(0, 100))}; ${known === '' ? 'none is taken' : `there are ${known}`}`,
    );
  }
}

/** @throws ApiError `M_MISSING_PARAMS`, `M_INVALID_PARAM` */
export function readArguments<F extends Fields>(fields: F, raw: RawArguments): Arguments<F> {
  const missing = Object.keys(fields).filter((name) => !fields[name]?.optional && !raw.has(name));
  if (missing.length > 0) {
    throw new ApiError(400, 'M_MISSING_PARAMS', `Missing parameters: ${missing.join(',')}`);
  }
  const read: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    const given = raw.get(name);
    const isAbsent = !raw.has(name) || (field.optional && given === null);
    const value = isAbsent ? undefined : field.read(given);
    if (value === undefined && !isAbsent) {
      throw invalidParam(`${name} must be ${field.expected}`);
    }
    read[name] = value;
  }
  return read as Arguments<F>;
}

const MAX_TEXTS = 100;
const MAX_TEXT = 100_000;

/**
 * Every text among the arguments, by name.
 * @throws ApiError `M_INVALID_PARAM` when they are more or longer than anyone means to send
 */
export function textArguments(raw: RawArguments): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  let length = 0;
  for (const [name, value] of raw) {
    if (typeof value !== 'string') continue;
    length += name.length + value.length;
    texts.set(name, value);
  }
  if (texts.size <= MAX_TEXTS && length <= MAX_TEXT) return texts;
  throw invalidParam(`At most ${MAX_TEXTS} texts of ${MAX_TEXT} characters in all can be given`);
}
