import { lineOf } from '../checks/finding.ts';
import { checkPeer, urlOfPeer } from '../checks/peers.ts';
import {
  aBoolean,
  aList,
  anInteger,
  anObject,
  aString,
  aWordOf,
  type Described,
  describedAs,
  named,
  type Schema,
} from '../model/json-schema.ts';
import { isSameServer, isServerName } from '../model/server-name.ts';
import { withoutTrailing } from '../platform/without-trailing.ts';
import { peerKey } from '../replication/peers.ts';
import {
  forgetReceived,
  RECEIVED,
  type ReceivedTally,
  receivedFrom,
} from '../replication/received-tally.ts';
import type { OpenTransaction, Peer, PeerSettings, PeerStore } from '../storage/stores/index.ts';
import {
  InputError,
  type Operation,
  type OperationContext,
  type OperationInput,
} from './operation.ts';
import { lines, plain, time } from './text.ts';

const resource = 'peers';
const NAME = { name: 'NAME', about: 'The peer’s server.name', required: true } as const;

const PEER = {
  name: aString,
  active: aBoolean,
  url: describedAs('Where it is pushed to, without user and password', aString),
  keys: aList(aString),
};

/** A server that replicates with this one. */
const SEEN = named('Peer', anObject(PEER));
export type SeenPeer = Described<typeof SEEN>;

const TALLY = anObject({ count: anInteger, last: anInteger });
const RULE_TALLIES = Object.fromEntries(RECEIVED.map((rule) => [rule, TALLY]));

/** The same, with how it works both ways; times in milliseconds. */
const STATE = named(
  'PeerState',
  anObject(
    {
      ...PEER,
      backlog: describedAs('Entries of the log that it is still to be sent', anInteger),
      refuses: describedAs(
        'Associations of this server that it does not take',
        aList(anObject({ id: anInteger, since: anInteger })),
      ),
      received: describedAs(
        'What came from it, by what became of it',
        anObject({}, RULE_TALLIES) as Schema<ReceivedTally>,
      ),
      warnings: describedAs('What keeps it from working', aList(aString)),
    },
    { last_success: anInteger, last_error: anObject({ at: anInteger, reason: aString }) },
  ),
);
export type PeerState = Described<typeof STATE>;

/** Who may read it need not know the password in it. */
function withoutCredentials(text: string): string {
  if (!URL.canParse(text)) return text;
  const url = new URL(text);
  if (url.username === '' && url.password === '') return text;
  return text.replace(/^([a-z]+:\/\/)[^/]*@/i, '$1');
}

const seen = (peer: Peer, { config }: OperationContext): SeenPeer => ({
  name: peer.name,
  active: peer.active,
  url: withoutCredentials(urlOfPeer(peer, config)),
  keys: peer.keys,
});

const headOf = ({ name, active, url }: SeenPeer) =>
  `${plain(name)}  ${active ? 'active' : 'inactive'}  ${plain(url)}`;

/** Who replicates with this server. */
export const listPeers: Operation<readonly SeenPeer[]> = {
  resource,
  about: 'The servers that replicate with this one',
  action: 'list',
  kind: 'overview',
  summary: 'The servers that replicate with this one, with their keys',
  result: aList(SEEN),
  run: async (_input, context) =>
    (await context.storage.stores.peers.list()).map((peer) => seen(peer, context)),
  text: (all) =>
    lines(
      all,
      (peer) => [headOf(peer), ...peer.keys.map((key) => `  key ${plain(key)}`)].join('\n'),
      'none',
    ),
};

async function stateOf(peer: Peer, context: OperationContext): Promise<PeerState> {
  const { peers, state } = context.storage.stores;
  const refused = await peers.refused(peer.name);
  const received = await receivedFrom(state, peer.name);
  const findings = checkPeer({ peer, refused, received }, context.config);
  return {
    ...seen(peer, context),
    last_success: peer.lastSuccessAt,
    last_error: peer.lastFailure,
    backlog: await peers.countBacklog(peer.name),
    refuses: refused,
    received,
    warnings: findings.filter(({ state }) => state !== 'ok').map(lineOf),
  };
}

const RULES: Readonly<Record<(typeof RECEIVED)[number], string>> = {
  bound: 'bindings taken in',
  deleted: 'deletions taken in',
  signature: 'refused: not signed by a key on file',
  members: 'left out: has members that none has',
  malformed: 'left out: is no association',
  ahead: 'left out: dated more than a day ahead',
  erased: 'left out: said before it was erased here',
};

const receivedLines = (received: ReceivedTally) =>
  RECEIVED.flatMap((rule) => {
    const tally = received[rule];
    return tally === undefined
      ? []
      : [`  received: ${tally.count} ${RULES[rule]}, the last ${time(tally.last)}`];
  });

/** How replication goes, both ways. */
export const showPeers: Operation<readonly PeerState[]> = {
  resource,
  action: 'status',
  kind: 'overview',
  summary: 'How replication goes with each, both ways, and what keeps it from working',
  result: aList(STATE),
  async run(_input, context) {
    const states: PeerState[] = [];
    for (const peer of await context.storage.stores.peers.list()) {
      states.push(await stateOf(peer, context));
    }
    return states;
  },
  text: (all) =>
    lines(
      all,
      (peer) =>
        [
          headOf(peer),
          ...(peer.keys.length === 0 ? ['  has no key, so takes no part'] : []),
          `  last success: ${time(peer.last_success)}`,
          `  backlog: ${peer.backlog}`,
          `  last error: ${peer.last_error ? `${time(peer.last_error.at)} ${plain(peer.last_error.reason)}` : 'none'}`,
          ...peer.refuses.map(
            ({ id, since }) => `  refuses association ${id} since ${time(since)}`,
          ),
          ...receivedLines(peer.received),
          ...peer.warnings.map((warning) => `  ${plain(warning)}`),
        ].join('\n'),
      'none',
    ),
};

/** @throws InputError */
function readName({ argument = '' }: OperationInput): string {
  if (argument === '') throw new InputError('the name of the peer is missing');
  return argument;
}

/** What `add` is given, but for the name. @throws InputError */
function readSettings(
  name: string,
  { options }: OperationInput,
  serverName: string,
): Omit<PeerSettings, 'name'> {
  const refuse = (message: string) => {
    throw new InputError(message);
  };
  if (!isServerName(name)) refuse(`${name} is not a server name`);
  if (isSameServer(name, serverName)) refuse(`${name} is this server itself`);
  const keys = (options['key'] ?? '').split(',').filter((key) => key !== '');
  if (keys.length === 0) refuse('--key is missing: the peer’s public ed25519 key');
  const wrong = keys.find((key) => peerKey(key) === undefined);
  if (wrong !== undefined) refuse(`--key ${wrong} is not an ed25519 public key in base64 or hex`);
  const port = options['port'] === undefined ? undefined : Number(options['port']);
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536)) {
    refuse(`--port ${options['port']} is not a port`);
  }
  const url = options['url'] && withoutTrailing(options['url'], '/');
  if (url !== undefined && !(URL.canParse(url) && /^https:\/\/[^?#\s]+$/.test(url))) {
    refuse('--url must begin with https:// and have neither query nor fragment');
  }
  return { port, url, keys };
}

/** The name as the peer's row has it, in whatever case it is given; of a new peer as given: Sydent compares it exactly. */
async function spelling(peers: PeerStore, name: string): Promise<string> {
  const found = (await peers.named([name.toLowerCase()])).map((peer) => peer.name);
  return found.find((known) => known === name) ?? found[0] ?? name;
}

/** What became of a peer. */
const CHANGED = anObject({
  name: aString,
  done: aWordOf('added', 'changed', 'removed', 'enabled', 'disabled'),
});
type ChangedPeer = Described<typeof CHANGED>;

const text = ({ name, done }: ChangedPeer) => `${plain(name)} ${done}`;

/** Takes a peer in, or changes it. */
export const addPeer: Operation<ChangedPeer> = {
  resource,
  action: 'add',
  kind: 'change',
  summary: 'Take a server in, or change one; a running server sees it within seconds',
  argument: NAME,
  options: {
    key: {
      name: 'KEY',
      about: 'The peer’s public ed25519 key, in base64 or hex; again for each of its keys',
      isList: true,
    },
    port: { name: 'N', about: 'Where it listens, when not at 1001' },
    url: { name: 'URL', about: 'Where it listens, as https://HOST:PORT' },
  },
  result: CHANGED,
  async run(input, { storage, config }) {
    const name = readName(input);
    const settings = readSettings(name, input, config.general.serverName);
    return storage.transaction(async ({ peers }): Promise<ChangedPeer> => {
      const spelt = await spelling(peers, name);
      const isNew = await peers.save({ ...settings, name: spelt });
      return { name: spelt, done: isNew ? 'added' : 'changed' };
    });
  },
  text,
};

/** A change of a peer that there must be. */
const changing = (
  action: 'remove' | 'enable' | 'disable',
  done: ChangedPeer['done'],
  summary: string,
  work: (stores: OpenTransaction, name: string) => Promise<boolean>,
): Operation<ChangedPeer | null> => ({
  resource,
  action,
  kind: 'change',
  summary,
  argument: NAME,
  result: CHANGED as Schema<ChangedPeer | null>,
  async run(input, { storage }) {
    const name = readName(input);
    return storage.transaction(async (stores) => {
      const spelt = await spelling(stores.peers, name);
      return (await work(stores, spelt)) ? { name: spelt, done } : null;
    });
  },
  text: (peer) => (peer === null ? 'there is no such peer' : text(peer)),
  found: (peer) => peer !== null,
});

export const removePeer = changing(
  'remove',
  'removed',
  'Forget a server, and what it refuses; what it has bound stays',
  async ({ peers, state }, name) => {
    await forgetReceived(state, name);
    return peers.remove(name);
  },
);

export const enablePeer = changing(
  'enable',
  'enabled',
  'Let a server take part again',
  ({ peers }, name) => peers.setActive(name, true),
);

export const disablePeer = changing(
  'disable',
  'disabled',
  'Let a server take no part for now',
  ({ peers }, name) => peers.setActive(name, false),
);
