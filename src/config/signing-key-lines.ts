import type { Random } from '../platform/random.ts';
import { encodeBase64 } from '../signing/base64.ts';
import { DEFAULT_SECTION, parseIni } from './parser.ts';
import { CRYPTO, type SigningKeyConfig } from './sections/crypto.ts';

const { section: SECTION, name: NAME } = CRYPTO.signingKey;
const { name: FORMER_NAME } = CRYPTO.oldSigningKeys;

/** A signing key as the configuration has it. */
export const keyText = ({ version, seed }: SigningKeyConfig) =>
  `ed25519 ${version} ${encodeBase64(seed)}`;

/** A new one. @param version tells it from others that the server had */
export const newSigningKey = (random: Random, version = '0') =>
  keyText({ version, seed: random.bytes(32) });

/** A version for a server that has had keys. */
export const newKeyVersion = (random: Random) => random.alphanumeric(6);

/** The lines of a file, and what changes one without touching the others. */
function editable(text: string) {
  const lines = text.split(/(?<=\n|\r(?!\n))/);
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const lineAt = (index: number | undefined) => lines[index ?? -1] ?? '';
  return {
    newline,
    lineAt,
    indentOf: (index: number | undefined) => /^[^\S\r\n]*/.exec(lineAt(index))?.[0] ?? '',
    endOf: (index: number) => /(?:\r\n?|\n)?$/.exec(lineAt(index))?.[0] ?? '',
    replaceLine: (index: number, by: readonly string[]) =>
      [...lines.slice(0, index), ...by, ...lines.slice(index + 1)].join(''),
  };
}

/**
 * The text with the key's line filled in where it stands, or added in [crypto], and nothing else changed.
 * @throws ConfigSyntaxError
 */
export function withSigningKey(text: string, key: string): string {
  const ini = parseIni(text);
  const { newline, lineAt, indentOf, endOf, replaceLine } = editable(text);
  const setting = `${NAME} = ${key}`;

  // The section's own line wins over one that serves every section.
  const there = ini.lineOf(SECTION, NAME) ?? ini.lineOf(DEFAULT_SECTION, NAME);
  if (there !== undefined) {
    return replaceLine(there, [`${indentOf(there)}${setting}${endOf(there)}`]);
  }
  const header = ini.lineOf(SECTION);
  if (header === undefined) {
    const gap = text === '' || /[\r\n]$/.test(text) ? '' : newline;
    return `${text}${gap}${text === '' ? '' : newline}[${SECTION}]${newline}${setting}${newline}`;
  }
  const [next] = ini.keys(SECTION);
  // Standing further left than what follows, it would have that for its continuation.
  const indent = next === undefined ? '' : indentOf(ini.lineOf(SECTION, next));
  const headerLine = lineAt(header);
  const closed = /[\r\n]$/.test(headerLine) ? headerLine : `${headerLine}${newline}`;
  return replaceLine(header, [closed, `${indent}${setting}${newline}`]);
}

/**
 * The text in which the new key signs, and the one that did is the first of those that signed before.
 * @throws ConfigSyntaxError
 */
export function withRotatedKey(text: string, key: string, former: string): string {
  const renewed = withSigningKey(text, key);
  const ini = parseIni(renewed);
  const { newline, lineAt, indentOf, endOf, replaceLine } = editable(renewed);
  const list = ini.lineOf(SECTION, FORMER_NAME) ?? ini.lineOf(DEFAULT_SECTION, FORMER_NAME);
  if (list !== undefined) {
    const line = lineAt(list);
    const end = endOf(list) || newline;
    const indent = indentOf(list);
    const first = line.slice(line.search(/[=:]/) + 1).trim();
    const members = [former, ...(first === '' ? [] : [first])];
    return replaceLine(list, [
      `${indent}${FORMER_NAME} =${end}`,
      ...members.map((member) => `${indent}    ${member}${end}`),
    ]);
  }
  const at = ini.lineOf(SECTION, NAME) ?? ini.lineOf(DEFAULT_SECTION, NAME) ?? 0;
  const own = lineAt(at);
  const closed = endOf(at) === '' ? `${own}${newline}` : own;
  return replaceLine(at, [closed, `${indentOf(at)}${FORMER_NAME} = ${former}${newline}`]);
}
