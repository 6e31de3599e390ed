import { BlockList, isIP } from 'node:net';
import { beginsWith, dotted, hextets, MAPPED } from '../../platform/ipv6.ts';

/** An address without port, brackets and the prefix of IPv4 in IPv6; undefined when it is none. */
function parseAddress(text: string): string | undefined {
  const bare = text.trim().replace(/^\[(.*)\](?::\d+)?$/, '$1');
  const address = isIP(bare) === 0 ? bare.replace(/^([\d.]+):\d+$/, '$1') : bare;
  if (isIP(address) === 0) return undefined;
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

function blockList(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', prefix] = entry.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return list;
}

export interface ClientAddressConfig {
  readonly obeyXForwardedFor: boolean;
  readonly trustedProxies: readonly string[];
}

/**
 * How to tell a client's address. Without trusted proxies the first entry of X-Forwarded-For is
 * believed, as Sydent does; with them, the right-most that is not one of theirs.
 */
export function clientAddressReader(config: ClientAddressConfig) {
  const trusted = blockList(config.trustedProxies);
  const isTrusted = (address: string) =>
    trusted.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');

  return (socketAddress: string | undefined, forwardedFor: string | undefined) => {
    const direct = parseAddress(socketAddress ?? '');
    if (!config.obeyXForwardedFor || forwardedFor === undefined) return direct;
    const entries = forwardedFor.split(',');
    if (config.trustedProxies.length === 0) return parseAddress(entries[0] ?? '') ?? direct;
    if (direct === undefined || !isTrusted(direct)) return direct;
    let client = direct;
    for (const entry of entries.reverse()) {
      const address = parseAddress(entry);
      if (address === undefined) return client;
      client = address;
      if (!isTrusted(address)) return client;
    }
    return client;
  };
}

/**
 * What limits count as one client: an IPv4 address, or the /64 network of an IPv6 address, as whoever has
 * one address there has them all.
 */
export function clientNetwork(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  if (isIP(address) !== 6) return address;
  const parts = hextets(address);
  if (beginsWith(parts, MAPPED)) return dotted(parts[6], parts[7]);
  const network = parts.slice(0, 4).map((part) => part.toString(16));
  return `${network.join(':')}::/64`;
}
