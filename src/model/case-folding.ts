/**
 * Unicode full case folding (CaseFolding.txt, statuses C and F): what Python calls `casefold()`.
 * JavaScript has only lower-casing, so this is lower-casing plus the places where the two differ.
 */

const FOLDED: ReadonlyMap<string, string> = new Map(
  Object.entries({
    '\u00b5': '\u03bc',
    '\u00df': 'ss',
    '\u0149': '\u02bcn',
    '\u017f': 's',
    '\u01f0': 'j\u030c',
    '\u0345': '\u03b9',
    '\u0390': '\u03b9\u0308\u0301',
    '\u03b0': '\u03c5\u0308\u0301',
    '\u03c2': '\u03c3',
    '\u03d0': '\u03b2',
    '\u03d1': '\u03b8',
    '\u03d5': '\u03c6',
    '\u03d6': '\u03c0',
    '\u03f0': '\u03ba',
    '\u03f1': '\u03c1',
    '\u03f5': '\u03b5',
    '\u0587': '\u0565\u0582',
    '\u1c80': '\u0432',
    '\u1c81': '\u0434',
    '\u1c82': '\u043e',
    '\u1c83': '\u0441',
    '\u1c84': '\u0442',
    '\u1c85': '\u0442',
    '\u1c86': '\u044a',
    '\u1c87': '\u0463',
    '\u1c88': '\ua64b',
    '\u1e96': 'h\u0331',
    '\u1e97': 't\u0308',
    '\u1e98': 'w\u030a',
    '\u1e99': 'y\u030a',
    '\u1e9a': 'a\u02be',
    '\u1e9b': '\u1e61',
    '\u1e9e': 'ss',
    '\u1f50': '\u03c5\u0313',
    '\u1f52': '\u03c5\u0313\u0300',
    '\u1f54': '\u03c5\u0313\u0301',
    '\u1f56': '\u03c5\u0313\u0342',
    '\u1fb2': '\u1f70\u03b9',
    '\u1fb3': '\u03b1\u03b9',
    '\u1fb4': '\u03ac\u03b9',
    '\u1fb6': '\u03b1\u0342',
    '\u1fb7': '\u03b1\u0342\u03b9',
    '\u1fbc': '\u03b1\u03b9',
    '\u1fbe': '\u03b9',
    '\u1fc2': '\u1f74\u03b9',
    '\u1fc3': '\u03b7\u03b9',
    '\u1fc4': '\u03ae\u03b9',
    '\u1fc6': '\u03b7\u0342',
    '\u1fc7': '\u03b7\u0342\u03b9',
    '\u1fcc': '\u03b7\u03b9',
    '\u1fd2': '\u03b9\u0308\u0300',
    '\u1fd3': '\u03b9\u0308\u0301',
    '\u1fd6': '\u03b9\u0342',
    '\u1fd7': '\u03b9\u0308\u0342',
    '\u1fe2': '\u03c5\u0308\u0300',
    '\u1fe3': '\u03c5\u0308\u0301',
    '\u1fe4': '\u03c1\u0313',
    '\u1fe6': '\u03c5\u0342',
    '\u1fe7': '\u03c5\u0308\u0342',
    '\u1ff2': '\u1f7c\u03b9',
    '\u1ff3': '\u03c9\u03b9',
    '\u1ff4': '\u03ce\u03b9',
    '\u1ff6': '\u03c9\u0342',
    '\u1ff7': '\u03c9\u0342\u03b9',
    '\u1ffc': '\u03c9\u03b9',
    '\ufb00': 'ff',
    '\ufb01': 'fi',
    '\ufb02': 'fl',
    '\ufb03': 'ffi',
    '\ufb04': 'ffl',
    '\ufb05': 'st',
    '\ufb06': 'st',
    '\ufb13': '\u0574\u0576',
    '\ufb14': '\u0574\u0565',
    '\ufb15': '\u0574\u056b',
    '\ufb16': '\u057e\u0576',
    '\ufb17': '\u0574\u056d',
  }),
);

function foldCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x80) return character.toLowerCase();
  const special = FOLDED.get(character);
  if (special !== undefined) return special;
  // Greek letters with iota subscript: base letter by eights, capitals after smalls, then iota.
  if (code >= 0x1f80 && code <= 0x1faf) {
    const block = [0x1f00, 0x1f20, 0x1f60][(code - 0x1f80) >> 4] ?? 0;
    return `${String.fromCodePoint(block + (code & 7))}\u03b9`;
  }
  // Cherokee folds to its capitals.
  if (code >= 0x13a0 && code <= 0x13f5) return character;
  if (code >= 0x13f8 && code <= 0x13fd) return String.fromCodePoint(code - 8);
  if (code >= 0xab70 && code <= 0xabbf) return String.fromCodePoint(code - 0xab70 + 0x13a0);
  return character.toLowerCase();
}

/** The text with case differences removed: two texts are equal but for case when these are equal. */
export function foldCase(text: string): string {
  return text.replace(/[A-Z\u0080-\u{10ffff}]/gu, foldCharacter);
}
