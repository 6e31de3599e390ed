import type { Random } from '../platform/random.ts';
import { replaceSecretText } from './config-file.ts';
import { ConfigError, parseSources, readConfigWithKey, type Source } from './load.ts';
import { CRYPTO, type CryptoConfig, type SigningKeyConfig } from './sections/crypto.ts';
import { keyText, newKeyVersion, newSigningKey, withRotatedKey } from './signing-key-lines.ts';
import type { Environment } from './sources.ts';

const isSame = (one: SigningKeyConfig | undefined, other: SigningKeyConfig) =>
  one !== undefined && keyText(one) === keyText(other);

/**
 * Writes a new signing key to the configuration. The one that signed is the first of ed25519.old_signing_keys then.
 * @returns the file, and what [crypto] says now
 * @throws ConfigError also where the file says it in a way that has to be changed by hand; then it is as it was
 */
export async function rotateSigningKey(
  files: readonly string[],
  environment: Environment,
  random: Random,
): Promise<{ readonly file: string; readonly crypto: CryptoConfig }> {
  const { config, values, sources } = await readConfigWithKey(files, environment);
  const { crypto: before } = config;
  const from = values.find((value) => value.key === CRYPTO.signingKey)?.from ?? '';
  const source = sources.find((one) => one.file === from);
  if (source === undefined) {
    throw new ConfigError(from, [
      'the signing key stands there, and not in a configuration file: put what `cognomen key generate` prints in its place yourself, and the former key into ed25519.old_signing_keys',
    ]);
  }
  const { file, text } = source;
  const key = newSigningKey(random, newKeyVersion(random));
  const rotated = withRotatedKey(text, key, keyText(before.signingKey));
  const after = parsed(
    sources.map((one) => (one === source ? { file, text: rotated } : one)),
    environment,
  );
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
  return { file, crypto: after };
}

function parsed(sources: readonly Source[], environment: Environment): CryptoConfig | undefined {
  try {
    return parseSources(sources, environment).config.crypto;
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}
