import { newKeyVersion, newSigningKey } from '../config/signing-key-lines.ts';
import { secureRandom } from '../platform/random.ts';
import type { Command } from './command.ts';

const HELP = `Prints a new signing key for ed25519.signingkey in the section [crypto], and changes nothing.

Usage: cognomen generate-key

Exit status: 0 done, 2 not understood
`;

/** Prints a signing key in the form of the configuration file; `key generate` does the same. */
export const generateKey: Command = {
  name: 'generate-key',
  summary: 'Print a new signing key for [crypto] ed25519.signingkey',
  help: HELP,
  async run() {
    // A version of its own keeps the key apart from others this server had.
    process.stdout.write(`${newSigningKey(secureRandom, newKeyVersion(secureRandom))}\n`);
    return 0;
  },
};
