/**
 * Text that somebody else made up, without what is there and cannot be seen: such characters make one name
 * look like another, carry what nobody reads, or hide what would be found.
 */

/** What scripts need to be written right: a mark that is kept where these characters stand beside it. */
interface Own {
  readonly mark: RegExp;
  readonly before?: RegExp;
  readonly after?: RegExp;
}

/** What can be seen of the scripts in which a joiner changes how a word looks. */
const JOINING =
  /[[\p{L}\p{M}]&&[\p{scx=Adlm}\p{scx=Arab}\p{scx=Bali}\p{scx=Beng}\p{scx=Cakm}\p{scx=Deva}\p{scx=Gran}\p{scx=Gujr}\p{scx=Guru}\p{scx=Java}\p{scx=Khmr}\p{scx=Knda}\p{scx=Mand}\p{scx=Mlym}\p{scx=Mong}\p{scx=Mtei}\p{scx=Mymr}\p{scx=Newa}\p{scx=Nkoo}\p{scx=Orya}\p{scx=Phag}\p{scx=Rohg}\p{scx=Sidd}\p{scx=Sinh}\p{scx=Sund}\p{scx=Sylo}\p{scx=Syrc}\p{scx=Taml}\p{scx=Telu}\p{scx=Tirh}]&&\P{Default_Ignorable_Code_Point}]/v;
/** Signs that take a letter its vowel: with a joiner behind them they end words, too. */
const VIRAMA = /[\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca]/;

const OWN: readonly Own[] = [
  { mark: /^[\u200c\u200d]$/, before: JOINING, after: JOINING },
  { mark: /^\u200d$/, before: VIRAMA },
  // Variants of ideographs, many of them in names; of letters in Mongolian and others.
  { mark: /^[\ufe00-\ufe02\u{e0100}-\u{e01ef}]$/u, before: /\p{Ideographic}/u },
  { mark: /^[\u180b-\u180f]$/, before: /[\p{L}&&\p{scx=Mong}]/v },
  { mark: /^\ufe00$/, before: /[\p{L}&&[\p{scx=Mymr}\p{scx=Phag}]]/v },
  // The empty place in a Korean syllable; the blank between Braille words.
  { mark: /^[\u115f\u1160]$/, after: /[\u1161-\u11ff]/ },
  { mark: /^\u2800$/, before: /[\u2801-\u28ff]/, after: /[\u2801-\u28ff]/ },
];

/** An emoji with all that belongs to it, flags and keycaps too; or, in a group, all in one place that cannot be seen. */
const EMOJI_OR_INVISIBLE =
  /\u{1f3f4}[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]{3,6}\u{e007f}|[#*0-9]\ufe0f\u20e3|\p{Extended_Pictographic}[\ufe0e\ufe0f]?\p{Emoji_Modifier}?(?:\u200d\p{Extended_Pictographic}[\ufe0e\ufe0f]?\p{Emoji_Modifier}?)*|([\p{Cc}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800\ufff9-\ufffb\u{1d159}]+)/gu;

/** Whether what stands there is one mark in its place: several at once are none. */
function isOwn(marks: string, begin: number, text: string): boolean {
  const end = begin + marks.length;
  const before = [...text.slice(Math.max(0, begin - 2), begin)].at(-1) ?? '';
  const [after = ''] = text.slice(end, end + 2);
  return OWN.some(
    (own) =>
      own.mark.test(marks) &&
      (own.before?.test(before) ?? true) &&
      (own.after?.test(after) ?? true),
  );
}

/** The text as well-formed Unicode, without invisible characters that are none of a script's or an emoji's own. */
export const visibleText = (text: string): string =>
  text
    .toWellFormed()
    .replace(EMOJI_OR_INVISIBLE, (match, invisible: string | undefined, begin, whole) =>
      invisible === undefined || isOwn(match, begin, whole) ? match : '',
    );
