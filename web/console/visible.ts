/** What a terminal or a reader would not show as it is: control characters, and those that turn the direction of text. */
const ODD = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\u2028\u2029]/gu;

const named = (character: string) =>
  `\\u{${(character.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`;

/** A text with such characters spelt out. */
export const visible = (text: string): string => text.replace(ODD, named);
