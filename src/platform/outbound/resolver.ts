import { Resolver } from 'node:dns/promises';
import type { Clock } from '../clock.ts';
import { createExpiringCache } from '../expiring-cache.ts';
import { createSingleFlight } from '../single-flight.ts';
import { createGate, GateFullError } from './gate.ts';
import { createHostsFile } from './hosts-file.ts';
import { codeOf, OutboundError } from './outbound-error.ts';

/** Where a service is offered (RFC 2782). */
export interface ServiceRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  /** A host name; empty when the service is expressly not offered. */
  readonly target: string;
}

/** Names to addresses. */
export interface NameResolver {
  /** All addresses of the name, at least one. @throws OutboundError */
  addresses(name: string): Promise<readonly string[]>;
  /** The SRV records of the name; empty when there are none. @throws OutboundError */
  services(name: string): Promise<readonly ServiceRecord[]>;
  /** Gives up what is under way. */
  close(): void;
}

export interface NameResolverOptions {
  /** Addresses with a port maybe; empty: the system's. */
  readonly servers: readonly string[];
  readonly clock: Clock;
  readonly hostsFile?: string;
}

/** How long one server is waited for at first, and how often each is tried. */
const QUERY = { timeout: 2000, tries: 2, maxTimeout: 4000 };
/** Many, because whoever has a silent DNS server can have each of them kept for a while. */
const QUERIES = { places: 1000, waiting: 1000 };
const CACHED_NAMES = 10_000;
const MAX_LIFETIME = 60 * 60 * 1000;
/** Each is checked against the address lists. */
const MAX_ADDRESSES = 256;

/** Whether DNS said that there is no such thing, which is an answer. */
const isNothing = (error: unknown) => /^(ENOTFOUND|ENODATA)$/.test(codeOf(error));

const explain = (name: string) => (error: unknown) => {
  if (error instanceof GateFullError) {
    throw new OutboundError('overloaded', 'Too many names are being looked up');
  }
  if (error instanceof OutboundError) throw error;
  throw new OutboundError(
    'name-unresolved',
    isNothing(error)
      ? `${name} does not exist in DNS`
      : `${name} could not be looked up in DNS (${codeOf(error)})`,
    { cause: error },
  );
};

/**
 * `/etc/hosts` first, then DNS. Addresses are kept for as long as their TTL says. SRV records are asked for
 * each time: their TTL is known only to the DNS server, which keeps them.
 */
export function createNameResolver(options: NameResolverOptions): NameResolver {
  const hosts = createHostsFile(options.hostsFile ?? '/etc/hosts');
  const dns = new Resolver(QUERY);
  if (options.servers.length > 0) dns.setServers(options.servers);
  const gate = createGate(QUERIES);
  const never = new AbortController().signal;
  const cache = createExpiringCache<readonly string[]>(options.clock, CACHED_NAMES);
  const addressFlight = createSingleFlight<readonly string[]>();
  const serviceFlight = createSingleFlight<readonly ServiceRecord[]>();

  async function lookUp(name: string): Promise<readonly string[]> {
    const families = await gate.run(never, () =>
      Promise.allSettled([dns.resolve4(name, { ttl: true }), dns.resolve6(name, { ttl: true })]),
    );
    const records = families.flatMap((family) =>
      family.status === 'fulfilled' ? family.value : [],
    );
    const failures = families.flatMap((family) =>
      family.status === 'rejected' ? [family.reason] : [],
    );
    const serious = failures.find((error) => !isNothing(error));
    if (records.length === 0) throw serious ?? failures[0];
    if (records.length > MAX_ADDRESSES) {
      throw new OutboundError('name-unresolved', `${name} has too many addresses`);
    }
    const addresses = records.map(({ address }) => address);
    // Half an answer is good for now, not for later.
    const lifetime =
      serious === undefined ? Math.min(...records.map(({ ttl }) => ttl * 1000), MAX_LIFETIME) : 0;
    cache.set(name, addresses, lifetime);
    return addresses;
  }

  async function lookUpServices(name: string): Promise<readonly ServiceRecord[]> {
    try {
      const records = await gate.run(never, () => dns.resolveSrv(name));
      return records.map(({ name: target, priority, weight, port }) => ({
        priority,
        weight,
        port,
        target,
      }));
    } catch (error) {
      if (isNothing(error)) return [];
      throw error;
    }
  }

  return {
    async addresses(given) {
      const name = given.toLowerCase().replace(/\.$/, '');
      const known = await hosts.addresses(name);
      if (known !== undefined) return known;
      // RFC 6761: never a question for DNS.
      if (/(^|\.)localhost$/.test(name)) return ['127.0.0.1', '::1'];
      const cached = cache.get(name);
      if (cached !== undefined) return cached;
      return addressFlight(name, () => lookUp(name)).catch(explain(name));
    },
    close: () => dns.cancel(),
    services: (name) => serviceFlight(name, () => lookUpServices(name)).catch(explain(name)),
  };
}
