import type { Parser } from './parsers.ts';

/** What is repeated for every parser. */
const PIECES = [...'a0 "\\%&=@.,\n[{(<-/:;', 'é', '\0', 'a"', 'a,', ' a', '\r\n'];

/** Texts of that length that a parser may take, or nearly takes. */
export function textsFor(parser: Parser, length: number): string[] {
  const { pieces = [], starts = [''], ends = [''] } = parser;
  const repeated = new Set([...PIECES, ...pieces]);
  return [...repeated].flatMap((piece) =>
    starts.flatMap((start) =>
      ends.map((end) => start + piece.repeat(Math.ceil(length / piece.length)) + end),
    ),
  );
}
