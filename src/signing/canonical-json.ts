import { WrittenNumber } from './json.ts';

/** A value that canonical JSON cannot hold; the message names the path to it. */
export class CanonicalJsonError extends Error {
  override readonly name = 'CanonicalJsonError';
}

const MAX_DEPTH = 100;

function compareCodePoints(a: string, b: string): number {
  // UTF-16 order differs from that of code points only where surrogates meet the characters above
  // them, U+E000 to U+FFFF: move the surrogates behind those.
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const rank = (unit: number) => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);
    return rank(x) - rank(y);
  }
  return a.length - b.length;
}

function encodeString(text: string, path: string): string {
  if (!text.isWellFormed()) throw new CanonicalJsonError(`${path} is not well-formed Unicode`);
  return JSON.stringify(text);
}

function encode(value: unknown, path: string, depth: number): string {
  if (depth > MAX_DEPTH) throw new CanonicalJsonError(`${path} is nested too deeply`);
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return encodeString(value, path);
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) {
      throw new CanonicalJsonError(`${path} is not a whole number between -(2^53)+1 and (2^53)-1`);
    }
    return String(value);
  }
  if (Array.isArray(value)) {
    const items = value.map((item, index) => encode(item, `${path}[${index}]`, depth + 1));
    return `[${items.join(',')}]`;
  }
  // Nobody else's numbers are signed here: what is checked is what was written.
  if (value instanceof WrittenNumber) return value.text;
  const prototype = typeof value === 'object' ? Object.getPrototypeOf(value) : undefined;
  if (prototype !== Object.prototype && prototype !== null) {
    throw new CanonicalJsonError(`${path} is nothing that JSON has`);
  }
  const members = Object.entries(value as object)
    .sort(([a], [b]) => compareCodePoints(a, b))
    .map(([key, member]) => {
      const memberPath = `${path}.${key}`;
      return `${encodeString(key, memberPath)}:${encode(member, memberPath, depth + 1)}`;
    });
  return `{${members.join(',')}}`;
}

/**
 * The one byte sequence that stands for the value when it is signed (specification, "Canonical JSON").
 * @throws CanonicalJsonError
 */
export function canonicalJson(value: unknown): string {
  return encode(value, '$', 0);
}
