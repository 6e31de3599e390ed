import { constants } from 'node:fs';
import { access, chmod, chown, open, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Random } from '../platform/random.ts';
import { encodeBase64 } from '../signing/base64.ts';
import { RIGHTS_OF_OTHERS } from './exposed-files.ts';
import type { Key } from './keys.ts';
import { FAMILIES, SECTIONS } from './known-keys.ts';
import { DEFAULT_SECTION, parseIni } from './parser.ts';
import { type Environment, inEnvironment } from './reader.ts';
import { CRYPTO } from './sections/crypto.ts';
import { GENERAL } from './sections/general.ts';

const { section: KEY_SECTION, name: KEY_NAME } = CRYPTO.signingKey;

/** A new signing key, as the configuration has it. @param version tells it from others that the server had */
export const newSigningKey = (random: Random, version = '0') =>
  `ed25519 ${version} ${encodeBase64(random.bytes(32))}`;

/** Writes the file whole or not at all, and so that it is there after a power failure. */
async function writeDurably(
  file: string,
  text: string,
  attributes: { mode: number; uid?: number; gid?: number },
): Promise<void> {
  const temporary = `${file}.${process.pid}.new`;
  try {
    const handle = await open(temporary, 'wx', attributes.mode);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await chmod(temporary, attributes.mode);
    if (attributes.uid !== undefined && attributes.gid !== undefined) {
      await chown(temporary, attributes.uid, attributes.gid);
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const folder = await open(path.dirname(file), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

const comment = (text: string) => wrap(text, 96).map((line) => `# ${line}`);

function liveLine(key: Key<unknown>, value: string): string {
  const written = key.raw ? value : value.replaceAll('%', '%%');
  return `${key.name} = ${written}`.trimEnd();
}

/**
 * The file a first start writes: every key with its default and what it means. From then on the file wins
 * over the environment, so what that says goes into it.
 */
function renderFirstConfig(
  env: Environment['env'],
  values: { serverName: string; signingKey: string },
): string {
  const given = new Map([
    [GENERAL.serverName.name, values.serverName],
    [KEY_NAME, values.signingKey],
  ]);
  const lines = [
    '# The configuration of Cognomen, a Matrix identity server. Every key is explained in',
    '# docs/configuration.md. A key that is not here has its default.',
  ];
  for (const [section, keys] of Object.entries(SECTIONS)) {
    lines.push('', `[${section}]`);
    for (const key of keys) {
      if (key.deprecated) continue;
      const value = given.get(key.name) ?? inEnvironment(key, env) ?? key.firstStart ?? key.default;
      const line = value === undefined ? `# ${key.name} =` : liveLine(key, value);
      lines.push('', ...comment(key.about), line);
    }
    for (const family of FAMILIES.filter((candidate) => candidate.section === section)) {
      lines.push('', ...comment(family.about), `# ${family.name} =`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** Writes the first configuration, readable by its owner only; the text written. */
export async function writeFirstConfig(
  file: string,
  { env, serverName }: { env: Environment['env']; serverName: string },
  random: Random,
): Promise<string> {
  const text = renderFirstConfig(env, { serverName, signingKey: newSigningKey(random) });
  try {
    await writeDurably(file, text, { mode: 0o600 });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`it does not exist and cannot be written: ${reason}`, { cause: error });
  }
  return text;
}

/**
 * The text with the key's line filled in where it stands, or added in [crypto], and nothing else changed.
 * @throws ConfigSyntaxError
 */
export function withSigningKey(text: string, key: string): string {
  const ini = parseIni(text);
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const lines = text.split(/(?<=\n|\r(?!\n))/);
  const replaceLine = (index: number, by: string[]) =>
    [...lines.slice(0, index), ...by, ...lines.slice(index + 1)].join('');
  const setting = `${KEY_NAME} = ${key}`;
  const indentOf = (line: number | undefined) =>
    /^[^\S\r\n]*/.exec(lines[line ?? -1] ?? '')?.[0] ?? '';

  // The section's own line wins over one that serves every section.
  const empty = ini.lineOf(KEY_SECTION, KEY_NAME) ?? ini.lineOf(DEFAULT_SECTION, KEY_NAME);
  if (empty !== undefined) {
    const end = /(?:\r\n?|\n)?$/.exec(lines[empty] ?? '')?.[0] ?? '';
    return replaceLine(empty, [`${indentOf(empty)}${setting}${end}`]);
  }
  const header = ini.lineOf(KEY_SECTION);
  if (header === undefined) {
    const gap = text === '' || /[\r\n]$/.test(text) ? '' : newline;
    return `${text}${gap}${text === '' ? '' : newline}[${KEY_SECTION}]${newline}${setting}${newline}`;
  }
  const [next] = ini.keys(KEY_SECTION);
  // Standing further left than what follows, it would have that for its continuation.
  const indent = next === undefined ? '' : indentOf(ini.lineOf(KEY_SECTION, next));
  const headerLine = lines[header] ?? '';
  const closed = /[\r\n]$/.test(headerLine) ? headerLine : `${headerLine}${newline}`;
  return replaceLine(header, [closed, `${indent}${setting}${newline}`]);
}

/**
 * Adds a new signing key to an existing file, keeping owner, group and their rights; others lose theirs, as it
 * holds a secret now. The new text.
 */
export async function addSigningKey(file: string, text: string, random: Random): Promise<string> {
  const target = await realpath(file);
  const added = withSigningKey(text, newSigningKey(random));
  try {
    await access(target, constants.W_OK);
    const { mode, uid, gid } = await stat(target);
    // To root every file is writable; a file that nobody may write was meant to stay as it is.
    if ((mode & 0o222) === 0) throw new Error('it is read-only');
    await writeDurably(target, added, { mode: mode & 0o7777 & ~RIGHTS_OF_OTHERS, uid, gid });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `it has no [crypto] ${KEY_NAME}, and a new one cannot be written to it (${reason}); run \`cognomen generate-key\` and put its output there as ${KEY_NAME} = …`,
      { cause: error },
    );
  }
  return added;
}
