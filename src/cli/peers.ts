import { isSameServer, isServerName } from '../model/server-name.ts';
import { withoutTrailing } from '../platform/without-trailing.ts';
import { ofPeer, peerKey, pushUrl } from '../replication/peers.ts';
import type { Peer, PeerSettings, PeerStore } from '../storage/stores/index.ts';
import type { Command, CommandLine } from './command.ts';
import { UsageError } from './usage-error.ts';
import { type OpenDatabase, withDatabase } from './with-database.ts';

const FORMS = `
  cognomen peers list
  cognomen peers status
  cognomen peers add NAME --key KEY [--key KEY] [--port N] [--url https://HOST:PORT]
  cognomen peers remove NAME
  cognomen peers enable NAME
  cognomen peers disable NAME`;

const USAGE = `peers wants one of${FORMS}`;

const HELP = `Looks after the servers that replicate with this one, also beside a running server, which sees changes within seconds.

Usage:${FORMS}

Options:
  --key KEY    The peer's public ed25519 key, in base64 or hex; again for each of its keys
  --port N     Where it listens, when not at 1001
  --url URL    Where it listens, as https://HOST:PORT

Exit status: 0 done, 1 failed, 2 not understood
`;

const say = (text: string) => process.stdout.write(`${text}\n`);
const time = (ms: number | undefined) => (ms === undefined ? 'never' : new Date(ms).toISOString());

/** Reads NAME and the options of `add`. @throws UsageError */
function parsePeer(
  name: string,
  own: CommandLine['own'],
  serverName: string,
): Omit<PeerSettings, 'name'> {
  const refuse = (message: string) => {
    throw new UsageError(message);
  };
  const { key: keys = [], port: ports = [], url: urls = [] } = own;
  if (!isServerName(name)) refuse(`${name} is not a server name`);
  if (isSameServer(name, serverName)) refuse(`${name} is this server itself`);
  if (keys.length === 0) refuse('--key is missing: the peer’s public ed25519 key');
  const wrong = keys.find((key) => peerKey(key) === undefined);
  if (wrong !== undefined) refuse(`--key ${wrong} is not an ed25519 public key in base64 or hex`);
  if (ports.length > 1 || urls.length > 1) refuse('give --port and --url once');
  const port = ports[0] === undefined ? undefined : Number(ports[0]);
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536)) {
    refuse(`--port ${ports[0]} is not a port`);
  }
  const url = urls[0] && withoutTrailing(urls[0], '/');
  if (url !== undefined && !(URL.canParse(url) && /^https:\/\/[^?#\s]+$/.test(url))) {
    refuse('--url must begin with https:// and have neither query nor fragment');
  }
  return { port, url, keys };
}

const urlOf = (peer: Peer, { config }: OpenDatabase) =>
  pushUrl(peer, ofPeer(config.peers, peer.name)?.baseReplicationUrl);

async function list(database: OpenDatabase): Promise<void> {
  for (const peer of await database.storage.stores.peers.list()) {
    say(`${peer.name}  ${peer.active ? 'active' : 'inactive'}  ${urlOf(peer, database)}`);
    for (const key of peer.keys) say(`  key ${key}`);
  }
}

async function status(database: OpenDatabase): Promise<void> {
  const { peers } = database.storage.stores;
  for (const peer of await peers.list()) {
    const refused = await peers.refused(peer.name);
    const { lastFailure } = peer;
    say(`${peer.name}  ${peer.active ? 'active' : 'inactive'}  ${urlOf(peer, database)}`);
    if (peer.keys.length === 0) say('  has no key, so takes no part');
    say(`  last success: ${time(peer.lastSuccessAt)}`);
    say(`  backlog: ${await peers.countBacklog(peer.name)}`);
    say(`  last error: ${lastFailure ? `${time(lastFailure.at)} ${lastFailure.reason}` : 'none'}`);
    for (const { id, since } of refused) say(`  refuses association ${id} since ${time(since)}`);
  }
}

/** The name as the peer's row has it, in whatever case it is given; of a new peer as given: Sydent compares it exactly. */
async function spelling(peers: PeerStore, name: string): Promise<string> {
  const found = (await peers.named([name.toLowerCase()])).map((peer) => peer.name);
  return found.find((known) => known === name) ?? found[0] ?? name;
}

type Change = (peers: PeerStore) => Promise<string>;

/** What the command line asks to be changed; undefined when it asks for something else. */
function change({ args, own }: CommandLine, serverName: string): Change | undefined {
  const [action, name = '', ...more] = args;
  if (name === '' || more.length > 0) return undefined;
  const known =
    (done: string, work: (peers: PeerStore, name: string) => Promise<boolean>): Change =>
    async (peers) => {
      const spelt = await spelling(peers, name);
      if (!(await work(peers, spelt))) throw new UsageError(`there is no peer ${name}`);
      return `${spelt} ${done}`;
    };
  switch (action) {
    case 'add': {
      const peer = parsePeer(name, own, serverName);
      return async (peers) => {
        const spelt = await spelling(peers, name);
        const isNew = await peers.save({ ...peer, name: spelt });
        return `${spelt} ${isNew ? 'added' : 'changed'}`;
      };
    }
    case 'remove':
      return known('removed', (peers, spelt) => peers.remove(spelt));
    case 'enable':
      return known('enabled', (peers, spelt) => peers.setActive(spelt, true));
    case 'disable':
      return known('disabled', (peers, spelt) => peers.setActive(spelt, false));
    default:
      return undefined;
  }
}

async function perform(line: CommandLine, database: OpenDatabase): Promise<number> {
  const [action, ...rest] = line.args;
  if (rest.length === 0 && action === 'list') {
    await list(database);
    return 0;
  }
  if (rest.length === 0 && action === 'status') {
    await status(database);
    return 0;
  }
  const wanted = change(line, database.config.general.serverName);
  if (wanted === undefined) throw new UsageError(USAGE);
  say(await database.storage.transaction(({ peers }) => wanted(peers)));
  return 0;
}

/** Looks after the peers in the database, also beside a running server, which sees changes within seconds. */
export const peers: Command = {
  name: 'peers',
  summary: 'Servers that replicate with this one: list, add, remove, enable, disable, status',
  options: ['key', 'port', 'url'],
  help: HELP,
  takesArguments: true,
  run: (line) => withDatabase(line, (database) => perform(line, database)),
};
