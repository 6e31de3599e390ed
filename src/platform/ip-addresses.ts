import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** An IPv6 address whose last two parts may be written as IPv4 address: the library takes `::192.0.2.1` for a mapped one. */
function parseIpv6(address: string): ipaddr.IPv6 {
  const [bare = ''] = address.split('%', 1);
  const end = bare.lastIndexOf(':') + 1;
  const [a, b, c, d] = bare.slice(end).split('.').map(Number);
  if (a === undefined || b === undefined || c === undefined || d === undefined) {
    return ipaddr.IPv6.parse(bare);
  }
  const [high, low] = [a * 256 + b, c * 256 + d];
  return ipaddr.IPv6.parse(`${bare.slice(0, end)}${high.toString(16)}:${low.toString(16)}`);
}

/** The eight parts of an IPv6 address in whatever spelling; a zone is left out. */
export const ipv6Parts = (address: string): readonly number[] => parseIpv6(address).parts;

/** The IPv4 address that two parts stand for. */
export const dotted = (high = 0, low = 0) => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;

/** The IPv4 address that an IPv4-mapped one (`::ffff:192.0.2.1`) stands for; of any other undefined. */
export function mappedIpv4(address: string): string | undefined {
  if (!isIPv6(address)) return undefined;
  const parsed = parseIpv6(address);
  return parsed.isIPv4MappedAddress() ? parsed.toIPv4Address().toString() : undefined;
}

/** Whether the text is an IP address. */
export const isAddress = (text: string): boolean => isIP(text) !== 0;

/** Whether only this machine reaches what listens there. */
export const isLoopback = (address: string): boolean =>
  address === 'localhost' || address === '::1' || (isIPv4(address) && address.startsWith('127.'));

/** Networks that no client of a public service comes from. */
export const PRIVATE_NETWORKS: readonly string[] = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '::/128',
  '::1/128',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
];

/** The network of so many bits that an address is in, always written in the same way. */
export function networkOf(address: string, bits: number): string {
  const cidr = `${address}/${bits}`;
  const first = isIPv6(address)
    ? ipaddr.IPv6.networkAddressFromCIDR(cidr)
    : ipaddr.IPv4.networkAddressFromCIDR(cidr);
  return `${first}/${bits}`;
}

/** Networks, one of which an address may be in. */
export interface NetworkList {
  /** @param address an IP address; an IPv4 address is also found by its IPv4-mapped form */
  contains(address: string): boolean;
}

const familyOf = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4');

/** A list of addresses and CIDRs; what of them is IPv4-mapped stands for the IPv4 network. */
export function createNetworkList(networks: readonly string[]): NetworkList {
  const list = new BlockList();
  for (const network of networks) {
    const [given = '', prefix] = network.split('/');
    const mapped = mappedIpv4(given);
    const length = prefix === undefined ? undefined : Number(prefix);
    const address = mapped !== undefined && (length ?? 128) >= 96 ? mapped : given;
    const bits = familyOf(address) === 'ipv4' ? 32 : 128;
    const shorter = address === given ? 0 : 96;
    list.addSubnet(address, length === undefined ? bits : length - shorter, familyOf(address));
  }
  return {
    contains(given) {
      const address = mappedIpv4(given) ?? given;
      return list.check(address, familyOf(address)) || list.check(given, familyOf(given));
    },
  };
}
