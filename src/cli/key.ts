import { readConfigWithKey } from '../config/load.ts';
import { rotateSigningKey } from '../config/rotate-key.ts';
import { surroundings } from '../config/surroundings.ts';
import { describeKeys } from '../identity/server-keys.ts';
import { secureRandom } from '../platform/random.ts';
import type { Command, CommandLine } from './command.ts';
import { generateKey } from './generate-key.ts';
import { operationCommand } from './operation-commands.ts';
import { orReportFailure } from './report-failure.ts';
import { UsageError } from './usage-error.ts';

const FORMS = `
  cognomen key generate
  cognomen key list [--json]
  cognomen key plan [--json]
  cognomen key rotate`;

const HELP = `The keys that sign for this server, as they stand in the configuration.

Usage:${FORMS}

  generate  Print a new key, in the form of [crypto] ed25519.signingkey
  list      The key that signs, and those that signed before, with their public keys, and how many pending invitations may
            need each
  plan      What a rotation takes, and what goes on to need the key before it; changes nothing
  rotate    Write a new key to the configuration, and keep the one before it in ed25519.old_signing_keys;
            then say what is to be done

Options:
  --json    Of list and plan: as JSON

Exit status: 0 done, 1 failed, 2 not understood
`;

const say = (text: string) => process.stdout.write(`${text}\n`);

/** What of it is an operation. */
async function look(line: CommandLine): Promise<number> {
  // Refused where there is none yet.
  await readConfigWithKey(line.config, surroundings());
  return operationCommand('key').run(line);
}

async function rotate({ config: files }: CommandLine): Promise<void> {
  const { config } = await readConfigWithKey(files, surroundings());
  const { file, crypto } = await rotateSigningKey(files, surroundings(), secureRandom);
  const [now, before] = describeKeys(crypto);
  if (before === undefined) throw new Error('the former key was not kept');
  const { pidFile } = config.general;
  const hangUp = pidFile === '' ? 'kill -HUP and its process id' : `kill -HUP $(cat ${pidFile})`;
  say(`${file} has a new signing key.
  new     ${now.id}  ${now.publicKey}
  former  ${before.id}  ${before.publicKey}

To do:
  1. Where several nodes have this configuration, copy it to each of them.
  2. Tell each running server (${hangUp}), or restart it. Until then the former key signs.
  3. Keep a copy of the file in a safe place, as before: it holds both keys.

What it means:
  - What the former key signed stays valid, and that key is served as long as it stands in the file.
  - Pending invitations are signed by it still, because rooms know no other.
  - Peers take what this server pushes by the key that they have on file, and go on so. Give each of them the new
    public key. A Cognomen: cognomen peers add ${config.general.serverName} --key ${now.publicKey}
    --key ${before.publicKey}. A Sydent has one key for each peer: update peer_pubkeys set
    key = '${now.publicKey}' where peername = '${config.general.serverName}'.
  - Should the former key be known to somebody else, remove it from the file as soon as peers have the new one.`);
}

async function perform(line: CommandLine): Promise<number> {
  const [action, ...more] = line.args;
  if (more.length === 0 && (action === 'list' || action === 'plan')) return look(line);
  if (line.flags.size === 0 && more.length === 0 && action === 'rotate') {
    await rotate(line);
    return 0;
  }
  throw new UsageError(`key wants one of${FORMS}`);
}

/** Looks after the signing keys in the configuration. */
export const key: Command = {
  name: 'key',
  summary: 'The keys that sign: generate, list, plan, rotate',
  flags: ['json'],
  help: HELP,
  takesArguments: true,
  async run(line) {
    const isGenerate = line.args.length === 1 && line.flags.size === 0;
    if (isGenerate && line.args[0] === 'generate') return generateKey.run(line);
    return (await orReportFailure(() => perform(line))) ?? 1;
  },
};
