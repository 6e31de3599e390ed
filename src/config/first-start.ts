import type { Random } from '../platform/random.ts';
import { replaceSecretText, writeDurably } from './config-file.ts';
import type { Key } from './keys.ts';
import { FAMILIES, SECTIONS } from './known-keys.ts';

import { CRYPTO } from './sections/crypto.ts';
import { GENERAL } from './sections/general.ts';
import { newSigningKey, withSigningKey } from './signing-key-lines.ts';
import { type Environment, givenUnder } from './sources.ts';

const { name: KEY_NAME } = CRYPTO.signingKey;

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
      const value =
        given.get(key.name) ?? givenUnder(key, env)?.value ?? key.firstStart ?? key.default;
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
 * Adds a new signing key to an existing file, keeping owner, group and their rights; others lose theirs, as it
 * holds a secret now. The new text.
 */
export async function addSigningKey(file: string, text: string, random: Random): Promise<string> {
  const added = withSigningKey(text, newSigningKey(random));
  try {
    await replaceSecretText(file, added);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `it has no [crypto] ${KEY_NAME}, and a new one cannot be written to it (${reason}); run \`cognomen generate-key\` and put its output there as ${KEY_NAME} = …`,
      { cause: error },
    );
  }
  return added;
}
