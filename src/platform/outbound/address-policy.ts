import { isIP } from 'node:net';
import { createNetworkList, dotted, ipv6Parts, type NetworkList } from '../ip-addresses.ts';

/** Where outbound requests may go. */
export interface AddressPolicy {
  /** @param address an IP address in its usual spelling. */
  allows(address: string): boolean;
}

/** What is not a public unicast address: the IANA special-purpose registries, and what was reserved before. */
const DEFAULT_BLACKLIST = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::1/128',
  // NAT64 inside a network
  '64:ff9b:1::/48',
  // discard only
  '100::/64',
  '100:0:0:1::/64',
  // protocol assignments: Teredo, benchmarking, ORCHID
  '2001::/23',
  // documentation
  '2001:db8::/32',
  '3fff::/20',
  // segment routing
  '5f00::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
];

const MAPPED = [0, 0, 0, 0, 0, 0xffff];
const COMPATIBLE = [0, 0, 0, 0, 0, 0];
const TRANSLATED = [0, 0, 0, 0, 0xffff, 0];
const NAT64 = [0x64, 0xff9b, 0, 0, 0, 0];
const SIX_TO_FOUR = 0x2002;

const beginsWith = (parts: readonly number[], start: readonly number[]) =>
  start.every((part, index) => parts[index] === part);

/** The addresses that stand for where a connection to this one ends. */
function meaningsOf(address: string): string[] {
  if (isIP(address) === 4) return [address];
  const parts = ipv6Parts(address);
  const last = dotted(parts[6], parts[7]);
  if (beginsWith(parts, NAT64)) return [last];
  if ([MAPPED, COMPATIBLE, TRANSLATED].some((start) => beginsWith(parts, start))) {
    return [address, last];
  }
  if (parts[0] === SIX_TO_FOUR) return [address, dotted(parts[1], parts[2])];
  return [address];
}

/**
 * The policy of `ip.blacklist` and `ip.whitelist`: lists of addresses and CIDRs, an empty blacklist
 * standing for every network that is not public. An IPv4 network counts for all IPv6 forms of its addresses.
 */
export function createAddressPolicy(lists: {
  readonly blacklist: readonly string[];
  readonly whitelist: readonly string[];
}): AddressPolicy {
  const blocked = createNetworkList(
    lists.blacklist.length > 0 ? lists.blacklist : DEFAULT_BLACKLIST,
  );
  const excepted = createNetworkList(lists.whitelist);
  // "This host": it leads to loopback.
  const unspecified = createNetworkList(['0.0.0.0', '::']);
  return {
    allows(address) {
      const meanings = meaningsOf(address);
      const isIn = (list: NetworkList) => meanings.some((meaning) => list.contains(meaning));
      return !isIn(unspecified) && (isIn(excepted) || !isIn(blocked));
    },
  };
}
