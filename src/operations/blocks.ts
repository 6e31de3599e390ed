import type { Config } from '../config/config.ts';
import { InvalidValueError } from '../config/keys.ts';
import { networks } from '../config/networks.ts';
import {
  addBlock,
  type Block,
  blocksAt,
  liftBlock,
  MOST_BLOCKS,
  type NewBlock,
} from '../identity/limits/blocks.ts';
import { endOfNames } from '../identity/network-names.ts';
import {
  aBoolean,
  aList,
  anInteger,
  anObject,
  aString,
  aWordOf,
  describedAs,
  named,
} from '../model/json-schema.ts';
import { parseMxid } from '../model/mxid.ts';
import { isServerName } from '../model/server-name.ts';
import {
  createNetworkList,
  isAddress,
  mappedIpv4,
  networkOf,
  PRIVATE_NETWORKS,
} from '../platform/ip-addresses.ts';
import { readId, wholeNumber } from './input.ts';
import { InputError, type Operation, StateError } from './operation.ts';
import { lines, plain, time } from './text.ts';

const HOUR = 60 * 60 * 1000;
const HOURS = { usual: 24, most: 7 * 24 };
/** Bits of a network that may be blocked: a wider one has too many in it who did nothing. */
const WIDEST = { ipv4: 16, ipv6: 32 };
/** What counts as one client of IPv6. */
const NARROWEST_IPV6 = 64;
const LONGEST = 255;

const BLOCK = named(
  'Block',
  anObject({
    id: anInteger,
    kind: aWordOf('network', 'name', 'account', 'homeserver'),
    what: aString,
    since: anInteger,
    until: anInteger,
  }),
);

/** The network as given, whose address is the first of it or any other. */
function networkIn(text: string): string | undefined {
  try {
    const [network, ...more] = networks(text);
    return more.length === 0 ? network : undefined;
  } catch (error) {
    if (error instanceof InvalidValueError) return undefined;
    throw error;
  }
}

const overlap = (a: string, b: string) =>
  createNetworkList([a]).contains(b.split('/')[0] ?? '') ||
  createNetworkList([b]).contains(a.split('/')[0] ?? '');

/** @throws InputError for what would shut out the server's own people, or half of the world */
function checkedNetwork(network: string, { http, limits }: Config): string {
  const [given = '', prefix] = network.split('/');
  const mapped = mappedIpv4(given);
  if (mapped !== undefined && prefix !== undefined) {
    throw new InputError(`write ${network} as a network of IPv4`);
  }
  const address = mapped ?? given;
  const isIpv6 = address.includes(':');
  const length = Number(prefix ?? (isIpv6 ? 128 : 32));
  const widest = isIpv6 ? WIDEST.ipv6 : WIDEST.ipv4;
  if (length < widest) throw new InputError(`${network} is too wide: /${widest} is the widest`);
  const bits = isIpv6 ? Math.min(length, NARROWEST_IPV6) : length;
  const whole = !isIpv6 && bits === 32 ? address : networkOf(address, bits);
  const protectedBy = [
    [PRIVATE_NETWORKS, 'no client of a public service comes from there: it may be your own proxy'],
    [limits.trustedNetworks, 'it is among limits.trusted_networks'],
    [
      http.trustedProxies,
      'it is among trusted_proxies: all clients behind that proxy would be out',
    ],
  ] as const;
  for (const [list, why] of protectedBy) {
    if (list.some((one) => overlap(one, whole))) {
      throw new InputError(`${network} cannot be blocked: ${why}`);
    }
  }
  return whole;
}

/** Whom a text means. @throws InputError */
function readWhom(text: string, config: Config, now: number, until: number): NewBlock {
  if (text === '' || text.length > LONGEST)
    throw new InputError('whom to block is missing, or too long');
  const network = networkIn(text);
  if (network !== undefined && (isAddress(text) || text.includes('/'))) {
    return { kind: 'network', what: checkedNetwork(network, config), until };
  }
  if (parseMxid(text) !== undefined) return { kind: 'account', what: text, until };
  if (/^[\w-]{12}$/.test(text)) {
    return { kind: 'name', what: text, until: Math.min(until, endOfNames(now)) };
  }
  const name = text.toLowerCase();
  if (!isServerName(name) || !/[.:]/.test(name)) {
    throw new InputError(
      `${JSON.stringify(text)} is no IP address or CIDR, no user id, no homeserver, and no name of a network`,
    );
  }
  const { access, general } = config;
  const trusted = [
    ...general.homeserverAllowList,
    ...access.lookupTrustedHomeservers,
    ...access.termsTrustedHomeservers,
  ];
  if (trusted.some((one) => one.toLowerCase() === name)) {
    throw new InputError(`${name} cannot be blocked: the configuration trusts it`);
  }
  return { kind: 'homeserver', what: name, until };
}

const lineOf = ({ id, kind, what, until }: Block) =>
  `${id}  ${kind} ${plain(what)}  until ${time(until)}`;

/** Keeps somebody out for a while. */
export const blockSomebody: Operation<Block> = {
  resource: 'limits',
  action: 'block',
  kind: 'change',
  needsState: true,
  summary:
    'Keeps a client network, an account or a homeserver out for some hours, on all nodes: no mails, text messages, invitations, lookups, or new accounts. Unbinding, logging out and links of mails go on working',
  argument: {
    name: 'WHOM',
    about: 'An IP address or CIDR, a user id, a homeserver; or a network as limits list names it',
    required: true,
  },
  options: {
    hours: {
      name: 'N',
      about: `For how long: from 1 to ${HOURS.most}; ${HOURS.usual} where it is not said`,
    },
  },
  result: BLOCK,
  async run({ argument = '', options }, { storage, config, clock }) {
    const hours = wholeNumber('hours', options['hours'] ?? String(HOURS.usual), HOURS.most);
    if (hours === 0) throw new InputError('hours must be 1 at least', 'hours');
    const now = clock.now();
    const whom = readWhom(argument.trim(), config, now, now + hours * HOUR);
    const block = await addBlock(storage, whom, now);
    if (block !== undefined) return block;
    throw new StateError(`${MOST_BLOCKS} are blocked already; lift one first`);
  },
  text: (block) => `${lineOf(block)}\nrunning servers keep it out within a few seconds`,
};

/** Who is kept out for now. */
export const listBlocks: Operation<readonly Block[]> = {
  resource: 'limits',
  action: 'blocks',
  kind: 'overview',
  summary: 'Who is kept out for now, and until when',
  result: aList(BLOCK),
  run: (_input, { storage, clock }) => blocksAt(storage.stores, clock.now()),
  text: (all) => lines(all, lineOf, 'nobody'),
};

/** Lets somebody in again. */
export const unblock: Operation<{ readonly lifted: boolean }> = {
  resource: 'limits',
  action: 'unblock',
  kind: 'change',
  summary: 'Lets somebody in again before the time',
  argument: { name: 'ID', about: 'As limits blocks shows it', required: true },
  result: anObject({ lifted: describedAs('Within a few seconds', aBoolean) }),
  run: async (input, { storage }) => ({ lifted: await liftBlock(storage, readId(input)) }),
  text: ({ lifted }) =>
    lifted ? 'running servers let it in within a few seconds' : 'there is no such block',
  found: ({ lifted }) => lifted,
};
