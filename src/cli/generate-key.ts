import { newSigningKey } from '../config/first-start.ts';
import { secureRandom } from '../platform/random.ts';
import type { Command } from './command.ts';

/** Prints a signing key in the form of the configuration file. */
export const generateKey: Command = {
  name: 'generate-key',
  summary: 'Print a new signing key for [crypto] ed25519.signingkey',
  async run() {
    // A version of its own keeps the key apart from others this server had.
    const version = secureRandom.alphanumeric(6);
    process.stdout.write(`${newSigningKey(secureRandom, version)}\n`);
    return 0;
  },
};
