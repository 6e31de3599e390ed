/** Numbers as Python's `int()` and `float()` read them: what they take is in files out there. */

const DIGIT = /\p{Nd}/u;

/** In every script the ten digits stand in a row, and rows of ten behind one another. */
function digitValue(digit: string): number {
  const code = digit.codePointAt(0) ?? 0;
  let first = code;
  while (DIGIT.test(String.fromCodePoint(first - 1))) first--;
  return (code - first) % 10;
}

/** The text as JavaScript's Number() knows it: ASCII digits, no `_` between them, no white space. */
function plain(text: string): string {
  return text
    .trim()
    .replace(/(?<=\p{Nd})_(?=\p{Nd})/gu, '')
    .replace(/\p{Nd}/gu, (digit) => String(digitValue(digit)));
}

/** A whole number, cut off at the safe ones; NaN where Python has none. */
export function pythonInt(text: string): number {
  const number = plain(text);
  if (!/^[+-]?\d+$/.test(number)) return Number.NaN;
  const limit = Number.MAX_SAFE_INTEGER;
  // Not -0, which nobody wants to see again.
  return Math.max(-limit, Math.min(limit, Number(number))) + 0;
}

/** A number, maybe an infinite one; NaN where Python has none, or that very value. */
export function pythonFloat(text: string): number {
  const number = plain(text).toLowerCase();
  const infinite = /^([+-]?)inf(?:inity)?$/.exec(number);
  if (infinite !== null) return infinite[1] === '-' ? -Infinity : Infinity;
  return /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/.test(number) ? Number(number) : Number.NaN;
}
