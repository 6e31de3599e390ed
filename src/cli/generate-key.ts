import { secureRandom } from '../platform/random.ts';
import { encodeBase64 } from '../signing/base64.ts';

/** Prints a signing key in the form of the configuration file. */
export async function generateKey(): Promise<number> {
  // A version of its own keeps the key apart from others this server had.
  const version = secureRandom.alphanumeric(6);
  process.stdout.write(`ed25519 ${version} ${encodeBase64(secureRandom.bytes(32))}\n`);
  return 0;
}
