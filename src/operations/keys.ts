import { signingTimes } from '../identity/signing-times.ts';
import {
  aList,
  anInteger,
  anObject,
  aString,
  aWordOf,
  type Described,
  describedAs,
  named,
} from '../model/json-schema.ts';
import { OperatorError } from '../platform/operator-error.ts';
import { UnavailableError } from '../platform/unavailable.ts';
import type { Operation, OperationContext } from './operation.ts';

const KEY = named(
  'SigningKey',
  anObject(
    {
      id: aString,
      public_key: describedAs('Unpadded base64', aString),
      use: aWordOf('signs', 'signs invitations of its time', 'is served'),
    },
    {
      invitations: describedAs(
        'Pending invitations whose rooms may know no other key: rather too many than too few',
        anInteger,
      ),
    },
  ),
);
type SigningKey = Described<typeof KEY>;

/** How many pending invitations may need each of the keys; undefined where the database cannot be asked. */
async function needed(
  { storage }: Pick<OperationContext, 'storage'>,
  keys: readonly string[],
): Promise<ReadonlyMap<string, number> | undefined> {
  try {
    const keysAt = await signingTimes(storage.stores, keys);
    const counts = new Map(keys.map((key) => [key, 0]));
    await storage.stores.overview.eachInvite({ since: 0 }, async (invites) => {
      for (const { receivedAt, deliveredAt } of invites) {
        if (deliveredAt !== undefined) continue;
        for (const key of keysAt(receivedAt)) counts.set(key, (counts.get(key) ?? 0) + 1);
      }
    });
    return counts;
  } catch (error) {
    if (error instanceof OperatorError || error instanceof UnavailableError) return undefined;
    throw error;
  }
}

/** The keys of this server, and what still needs each of them. */
export const listKeys: Operation<readonly SigningKey[]> = {
  resource: 'key',
  action: 'list',
  kind: 'overview',
  summary:
    'The key that signs, and those that signed before, with their public keys, and how many pending invitations may need each',
  worksWithoutDatabase: true,
  result: aList(KEY),
  async run(_input, context) {
    const all = context.keys.described;
    const signing = all.filter(({ use }) => use !== 'is served');
    const counts = await needed(
      context,
      signing.map(({ publicKey }) => publicKey),
    );
    return all.map(({ id, publicKey, use }) => {
      const invitations = use === 'is served' ? undefined : counts?.get(publicKey);
      return { id, public_key: publicKey, use, ...(invitations !== undefined && { invitations }) };
    });
  },
  text: (all) =>
    all
      .map(
        ({ id, public_key: key, use, invitations }) =>
          `${id}  ${key}  ${use}${invitations === undefined ? '' : `  ${invitations} pending invitations may need it`}`,
      )
      .join('\n'),
};

const PLAN = anObject({
  commands: describedAs('To be run on the server, in this order', aList(aString)),
  invitations: describedAs('Pending ones, which go on to need the key before it', anInteger),
  peers: describedAs('Those that are to be given the new key', aList(aString)),
});
type Plan = Described<typeof PLAN>;

/** As a shell takes it for one word. */
const quoted = (word: string) =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** What it takes to change the signing key: nothing over the network may write the configuration. */
export const planKey: Operation<Plan> = {
  resource: 'key',
  action: 'plan',
  kind: 'overview',
  summary: 'What changing the signing key takes, and what goes on to need the one before it',
  result: PLAN,
  async run(_input, { config, storage }) {
    const { files, general } = config;
    const named = files.map((file) => ` -c ${quoted(file)}`).join('');
    const [{ invitations }, peers] = await Promise.all([
      storage.stores.overview.stock(general.serverName),
      storage.stores.peers.list(),
    ]);
    return {
      commands: [
        `cognomen key rotate${named}`,
        general.pidFile === ''
          ? 'kill -HUP PID-OF-THE-SERVER'
          : `kill -HUP $(cat ${quoted(general.pidFile)})`,
      ],
      invitations: invitations.pending,
      peers: peers.filter(({ active }) => active).map(({ name }) => name),
    };
  },
  text: ({ commands, invitations, peers }) =>
    [
      ...commands,
      `${invitations} pending invitations go on to need the key before it: keep it in the file until there are none`,
      peers.length === 0
        ? 'there is no peer to be given the new key'
        : `to be given the new key: ${peers.join(', ')}`,
    ].join('\n'),
};
