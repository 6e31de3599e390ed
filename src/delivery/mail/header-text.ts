/** So much text fits an encoded word of 75 characters, in whole characters of up to four bytes. */
const ENCODED_WORD_BYTES = 42;

/**
 * Header text in RFC 2047 encoded words, where anything in it is not ASCII, or would be read as such a
 * word: whoever made it up could say in code what is taken out of plain text.
 */
export function encodeHeaderText(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text) && !text.includes('=?')) return text;
  const words: string[] = [''];
  for (const character of text) {
    const extended = `${words.at(-1)}${character}`;
    if (Buffer.byteLength(extended) > ENCODED_WORD_BYTES) words.push(character);
    else words[words.length - 1] = extended;
  }
  return words.map((word) => `=?utf-8?B?${Buffer.from(word).toString('base64')}?=`).join(' ');
}
