import { isIP } from 'node:net';
import { LRUCache } from 'lru-cache';
import type { ClientNetwork } from '../../identity/limits/charges.ts';
import {
  createNetworkList,
  ipv6Parts,
  mappedIpv4,
  type NetworkList,
  PRIVATE_NETWORKS,
} from '../../platform/ip-addresses.ts';

/** An address without port, brackets and the prefix of IPv4 in IPv6; undefined when it is not one. */
function parseAddress(text: string): string | undefined {
  const bare = text.trim().replace(/^\[(.*)\](?::\d+)?$/, '$1');
  const address = isIP(bare) === 0 ? bare.replace(/^([\d.]+):\d+$/, '$1') : bare;
  if (isIP(address) === 0) return undefined;
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

const PRIVATE = createNetworkList(PRIVATE_NETWORKS);

export interface ClientAddressConfig {
  readonly obeyXForwardedFor: boolean;
  readonly trustedProxies: readonly string[];
  /** Addresses and CIDRs to which limits by client network do not apply. */
  readonly trustedNetworks: readonly string[];
}

/** What a request says of where it comes from. */
export interface Origin {
  /** Of the connection; undefined where it has none, such as a Unix socket. */
  readonly peer: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** Who sent a request, as far as the address tells. */
export interface Client {
  /** Undefined where nothing tells. */
  readonly address: string | undefined;
  /** What counts as one client: `clientNetwork` of the address. */
  readonly network: string;
  /** By which limits count it; none where they do not apply. */
  readonly networks: readonly ClientNetwork[];
  /** Why limits by network do not apply, or why what they count may be a proxy. */
  readonly oddity?: Oddity;
}

export const ODDITIES = {
  'hidden-clients':
    'Requests come from a loopback or private address: if that is a proxy, it hides its clients, and limits by client network do not apply. Let it send X-Forwarded-For, and set obey_x_forwarded_for = true and trusted_proxies',
  'proxy-not-obeyed':
    'Requests from a public address have headers of a proxy, which are ignored: limits by client network may count the proxy for all its clients. If it is yours, set obey_x_forwarded_for = true and trusted_proxies',
  'proxy-not-trusted':
    'X-Forwarded-For comes from a public address, where anybody can send any: limits by client network do not apply to such requests. Set trusted_proxies to the addresses of your proxies',
} as const;

export type Oddity = keyof typeof ODDITIES;

function headerOf({ headers }: Origin, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

/** The right-most address that no trusted proxy has: what stands left of it anybody can write. */
function behindProxies(direct: string, entries: readonly string[], trusted: NetworkList): string {
  let client = direct;
  for (const entry of [...entries].reverse()) {
    if (!trusted.contains(client)) return client;
    const address = parseAddress(entry);
    if (address === undefined) return client;
    client = address;
  }
  return client;
}

/**
 * The right-most public address. A proxy that appends to the header cannot be made to forge it, and those
 * between it and this server have private ones.
 */
function rightmostPublic(entries: readonly string[]): string | undefined {
  for (const entry of [...entries].reverse()) {
    const address = parseAddress(entry);
    if (address === undefined || !PRIVATE.contains(address)) return address;
  }
  return undefined;
}

/** Clients kept: most requests come from where others came from just before. What is longer is not kept. */
const REMEMBERED = 1000;
const LONGEST_REMEMBERED = 200;
/** Headers of a proxy whose values do not matter. */
const OTHER_PROXY_HEADERS = ['via', 'forwarded'];

/** How to tell who sent a request: docs/limits.md, "Who is the client". */
export function clientReader(config: ClientAddressConfig): (origin: Origin) => Client {
  const read = clientFinder(config);
  const clients = new LRUCache<string, Client>({ max: REMEMBERED });
  return (origin) => {
    const forwardedFor = headerOf(origin, 'x-forwarded-for');
    const isProxy = OTHER_PROXY_HEADERS.some((name) => name in origin.headers);
    // Of a connection the address is always the same text, which is found sooner than one that is put together.
    const key =
      forwardedFor === undefined && !isProxy
        ? (origin.peer ?? '')
        : `${origin.peer} ${isProxy} ${forwardedFor === undefined ? '' : `for ${forwardedFor}`}`;
    const known = clients.get(key);
    if (known !== undefined) return known;
    const client = read(origin);
    if (key.length <= LONGEST_REMEMBERED) clients.set(key, client);
    return client;
  };
}

function clientFinder(config: ClientAddressConfig): (origin: Origin) => Client {
  const proxies = createNetworkList(config.trustedProxies);
  const exempt = createNetworkList(config.trustedNetworks);

  const seen = (address: string | undefined): Client => ({
    address,
    network: clientNetwork(address),
    networks: address === undefined || exempt.contains(address) ? [] : networksOf(address),
  });
  const unseen = (address: string | undefined, oddity?: Oddity): Client => ({
    address,
    network: clientNetwork(address),
    networks: [],
    // Whom limits are not meant for they cannot miss.
    ...(oddity === undefined || (address !== undefined && exempt.contains(address))
      ? {}
      : { oddity }),
  });

  return (origin) => {
    const direct = parseAddress(origin.peer ?? '');
    if (direct === undefined) return unseen(undefined);
    const isPrivate = PRIVATE.contains(direct);
    const forwardedFor = headerOf(origin, 'x-forwarded-for');
    if (!config.obeyXForwardedFor) {
      if (isPrivate) return unseen(direct, 'hidden-clients');
      const isProxy =
        forwardedFor !== undefined || OTHER_PROXY_HEADERS.some((name) => name in origin.headers);
      return { ...seen(direct), ...(isProxy ? { oddity: 'proxy-not-obeyed' } : {}) };
    }
    const entries = forwardedFor?.split(',') ?? [];
    if (config.trustedProxies.length > 0) return seen(behindProxies(direct, entries, proxies));
    const client = rightmostPublic(entries);
    if (isPrivate) return client === undefined ? unseen(direct) : seen(client);
    return forwardedFor === undefined
      ? seen(direct)
      : unseen(client ?? direct, 'proxy-not-trusted');
  };
}

/** Of IPv6, whoever has one address may have a /64, a /56 or a /48; the larger, the more clients are in it. */
function networksOf(address: string): ClientNetwork[] {
  if (isIP(address) !== 6) return [{ name: address, size: 1 }];
  const mapped = mappedIpv4(address);
  if (mapped !== undefined) return [{ name: mapped, size: 1 }];
  const [a = 0, b = 0, c = 0, d = 0] = ipv6Parts(address);
  const name = (prefix: number, ...of: number[]) =>
    `${of.map((part) => part.toString(16)).join(':')}::/${prefix}`;
  return [
    { name: name(64, a, b, c, d), size: 1 },
    { name: name(56, a, b, c, d & 0xff00), size: 4 },
    { name: name(48, a, b, c), size: 16 },
  ];
}

/** What counts as one client: an IPv4 address, or the /64 network of an IPv6 address. */
export const clientNetwork = (address: string | undefined): string =>
  (address === undefined ? undefined : networksOf(address)[0]?.name) ?? 'unknown';
