import { WrittenNumber } from '../signing/json.ts';

/** In the text of JSON: a number that may be no safe integer. Strings may look so, too. */
const MAY_BE_ODD = /[[:,]\s*-?\d+(?:[.eE]|(?<=\d{16}))/;

const keep = (_name: string, value: unknown, context?: { source?: string }): unknown =>
  typeof value === 'number' && !Number.isSafeInteger(value) && context?.source !== undefined
    ? new WrittenNumber(context.source)
    : value;

/**
 * What JSON says, with those numbers kept as they were written that are not safe integers: Sydent signs them, and
 * their signature is checked before they are left out. @throws SyntaxError
 */
export function parseAsWritten(text: string): unknown {
  // Asked about each value, parsing takes ten times as long.
  return MAY_BE_ODD.test(text) ? JSON.parse(text, keep) : JSON.parse(text);
}
