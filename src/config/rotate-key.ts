import type { Random } from '../platform/random.ts';
import { replaceSecretText } from './config-file.ts';
import { ConfigError, parseConfig, readText } from './load.ts';
import type { Environment } from './reader.ts';
import type { CryptoConfig, SigningKeyConfig } from './sections/crypto.ts';
import { keyText, newKeyVersion, newSigningKey, withRotatedKey } from './signing-key-lines.ts';

const isSame = (one: SigningKeyConfig | undefined, other: SigningKeyConfig) =>
  one !== undefined && keyText(one) === keyText(other);

/**
 * Writes a new signing key to the configuration. The one that signed is the first of ed25519.old_signing_keys then.
 * @returns what [crypto] says now
 * @throws ConfigError also where the file says it in a way that has to be changed by hand; then it is as it was
 */
export async function rotateSigningKey(
  file: string,
  environment: Environment,
  random: Random,
): Promise<CryptoConfig> {
  const text = await readText(file);
  if (text === undefined) throw new ConfigError(file, ['it does not exist']);
  const { crypto: before } = parseConfig(file, text, environment).config;
  const key = newSigningKey(random, newKeyVersion(random));
  const rotated = withRotatedKey(text, key, keyText(before.signingKey));
  const after = parsed(file, rotated, environment);
  const isDone =
    after !== undefined &&
    keyText(after.signingKey) === key &&
    isSame(after.oldSigningKeys[0], before.signingKey) &&
    before.oldSigningKeys.every((old, index) => isSame(after.oldSigningKeys[index + 1], old));
  if (!isDone) {
    throw new ConfigError(file, [
      'its [crypto] is written in a way that this cannot change: put the value of ed25519.signingkey into ed25519.old_signing_keys yourself, and what `cognomen key generate` prints in its place',
    ]);
  }
  try {
    await replaceSecretText(file, rotated);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(file, [`it cannot be written: ${reason}`], { cause: error });
  }
  return after;
}

function parsed(file: string, text: string, environment: Environment): CryptoConfig | undefined {
  try {
    return parseConfig(file, text, environment).config.crypto;
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}
