import { isIPv4, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { getDomain } from 'tldts';
import { ipv6Parts, mappedIpv4 } from './ip-addresses.ts';
import { withoutTrailing } from './without-trailing.ts';

/** Longer is not a name of DNS. */
const LONGEST = 253;
/** What no name that could be reached has in common with any other. */
const NOWHERE = 'invalid';

function ipv6Network(address: string): string {
  const network = ipv6Parts(address)
    .slice(0, 4)
    .map((part) => part.toString(16));
  return mappedIpv4(address) ?? `${network.join(':')}::/64`;
}

/**
 * What limits count as one homeserver, whatever names its owner gives it: the domain that was registered for its
 * name, or the IPv4 address or /64 network that is its name. Its port is left out. Who rents out names under a domain
 * of theirs and has entered that in the public suffix list (the private part of it included) is not an owner: their
 * customers count each for themselves. A name that nothing could be reached by is `invalid`.
 */
export function registrableDomain(serverName: string): string {
  const [, brackets, name = ''] = /^(?:\[([^\]]*)\]|([^:[\]]+))(?::\d*)?$/.exec(serverName) ?? [];
  if (brackets !== undefined) return isIPv6(brackets) ? ipv6Network(brackets) : NOWHERE;
  const host = withoutTrailing(name, '.');
  // Also makes the usual four numbers of the other spellings of an IPv4 address.
  const ascii = host.length > LONGEST ? '' : withoutTrailing(domainToASCII(host), '.');
  if (ascii === '') return NOWHERE;
  if (isIPv4(ascii)) return ascii;
  const options = { allowPrivateDomains: true, extractHostname: false, validateHostname: false };
  return getDomain(ascii, options) ?? ascii;
}
