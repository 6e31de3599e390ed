import { isUtf8 } from 'node:buffer';
import { invalidParam } from './errors.ts';

/** Nobody means to send more, and while they are read everybody else waits. */
const MAX_PARAMETERS = 1000;

/** A parameter as it came: its name and its value. */
export type Pair = readonly [name: string, value: string];

const PERCENT = 0x25;
const PLUS = 0x2b;
const SPACE = 0x20;

/** The value of a hexadecimal digit; NaN for any other byte. */
function hexDigit(byte = 0): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : Number.NaN;
}

/** The text that the bytes are. @throws ApiError `M_INVALID_PARAM` */
export function decodeUtf8(bytes: Buffer, name: string): string {
  if (!isUtf8(bytes)) throw invalidParam(`${name} is not UTF-8`);
  return bytes.toString('utf8');
}

/** Percent-decodes; characters of the component stand for the bytes that came, as in Latin-1. */
function decodeComponent(component: string, name: string): string {
  const bytes = Buffer.from(component, 'latin1');
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    const code = byte === PERCENT ? hexDigit(bytes[i + 1]) * 16 + hexDigit(bytes[i + 2]) : NaN;
    if (!Number.isNaN(code)) i += 2;
    bytes[length++] = byte === PLUS ? SPACE : Number.isNaN(code) ? byte : code;
  }
  return decodeUtf8(bytes.subarray(0, length), name);
}

/** The parts between the separators. */
function* split(text: string, separator: string): Generator<string> {
  for (let start = 0, end = 0; end >= 0; start = end + 1) {
    end = text.indexOf(separator, start);
    yield end < 0 ? text.slice(start) : text.slice(start, end);
  }
}

/**
 * The parameters of a query string or an urlencoded body; undefined where there is nothing between two separators.
 * @throws ApiError `M_INVALID_PARAM` for what is not UTF-8
 */
export function* urlencodedPairs(text: string): Generator<Pair | undefined> {
  for (const pair of split(text, '&')) {
    const equals = pair.indexOf('=');
    const name = decodeComponent(equals < 0 ? pair : pair.slice(0, equals), 'A parameter name');
    const value = equals < 0 ? '' : decodeComponent(pair.slice(equals + 1), name);
    yield pair === '' ? undefined : [name, value];
  }
}

/**
 * The parameters of a request; one given more than once counts as not given.
 * @throws ApiError `M_INVALID_PARAM` for too many, and what reading the sources throws
 */
export function collectPairs(
  ...sources: readonly Iterable<Pair | undefined>[]
): Map<string, string> {
  const values = new Map<string, string>();
  const repeated = new Set<string>();
  let count = 0;
  for (const source of sources) {
    for (const pair of source) {
      if (++count > MAX_PARAMETERS) throw invalidParam('There are too many parameters');
      if (pair === undefined) continue;
      const [name, value] = pair;
      if (values.has(name)) repeated.add(name);
      values.set(name, value);
    }
  }
  for (const name of repeated) values.delete(name);
  return values;
}

/** The parameters of a query string alone. @throws ApiError `M_INVALID_PARAM` */
export const parseQuery = (query: string): Map<string, string> =>
  query === '' ? new Map() : collectPairs(urlencodedPairs(query));
