import { isIPv4, isIPv6 } from 'node:net';
import { InvalidValueError, list } from './keys.ts';

const BITS = 32;

/** `10` and `192.168` stand for their first address, as they did in the CIDRs of Sydent's day. */
function completed(address: string): string {
  const missing = 4 - address.split('.').length;
  return /^\d{1,3}(?:\.\d{1,3}){0,2}$/.test(address) ? address + '.0'.repeat(missing) : address;
}

/** The prefix's length of a mask such as 255.255.0.0, or of its opposite, 0.0.255.255. */
function lengthOf(mask: string): number | undefined {
  const bits = mask
    .split('.')
    .map((octet) => Number(octet).toString(2).padStart(8, '0'))
    .join('');
  if (/^1*0*$/.test(bits)) return bits.replace(/0/g, '').length;
  return /^0*1*$/.test(bits) ? bits.replace(/1/g, '').length : undefined;
}

function network(entry: string): string | undefined {
  const [given = '', length, ...more] = entry.split('/').map((part) => part.trim());
  const address = completed(given);
  const max = isIPv4(address) ? BITS : isIPv6(address) && !address.includes('%') ? 128 : undefined;
  if (max === undefined || more.length > 0) return undefined;
  if (length === undefined) return address;
  const number = max === BITS && isIPv4(length) ? lengthOf(length) : undefined;
  const prefix = number ?? (/^\d{1,3}$/.test(length) ? Number(length) : max + 1);
  return prefix <= max ? `${address}/${prefix}` : undefined;
}

/** IP addresses and CIDRs; of IPv4 also with a mask, and without the zeros at the end. */
export function networks(value: string): string[] {
  return list(value).map((entry) => {
    const found = network(entry);
    if (found !== undefined) return found;
    throw new InvalidValueError(
      `IP addresses or CIDRs between commas (${JSON.stringify(entry)} is neither)`,
    );
  });
}
