import { createHash } from 'node:crypto';
import { sameSecret } from '../secrets.ts';

/** Without what looks like something else: 0 and O, 1, I and L, 2 and Z, 5 and S, 6 and G, 8 and B, U and V. */
const LETTERS = '3479ACDEFHJKMNPQRTWXY';
const LENGTH = 8;
/** Characters that people type for it at most, with all between; of half a megabyte to take that out takes a tenth of a second. */
const LONGEST_TYPED = 64;

/**
 * The code that can be typed in place of a mail's long token: 8 characters, one of 37,000,000,000. It is made of the
 * token, so that it lives and dies with it; the token cannot be found by it.
 */
export function shortCodeOf(token: string): string {
  const digest = createHash('sha256').update(`short code of ${token}`, 'utf8').digest();
  let number = digest.readBigUInt64BE();
  let code = '';
  while (code.length < LENGTH) {
    code += LETTERS[Number(number % BigInt(LETTERS.length))];
    number /= BigInt(LETTERS.length);
  }
  return code;
}

/** Whether that is the token's short code, as people type it: in small letters, with blanks or hyphens. */
export const isShortCodeOf = (token: string, given: string): boolean =>
  given.length <= LONGEST_TYPED &&
  sameSecret(given.replaceAll(/[\s-]/g, '').toUpperCase(), shortCodeOf(token));
