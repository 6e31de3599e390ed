import { lookup, Resolver } from 'node:dns/promises';
import type { Clock } from '../clock.ts';
import { createExpiringCache } from '../expiring-cache.ts';
import { createSingleFlight } from '../single-flight.ts';
import { createHostsFile } from './hosts-file.ts';
import { abortable, codeOf, OutboundError } from './outbound-error.ts';
import { createRooms, type RoomName } from './room.ts';

/** Where a service is offered (RFC 2782). */
export interface ServiceRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  /** A host name; empty when the service is expressly not offered. */
  readonly target: string;
}

/** Names to addresses. Each room has places of its own for what is asked. */
export interface NameResolver {
  /**
   * All addresses of the name, at least one. For peers the system is asked first: it may have other ways than DNS,
   * and search domains.
   * @throws OutboundError
   */
  addresses(name: string, room: RoomName): Promise<readonly string[]>;
  /** The SRV records of the name; empty when there are none. @throws OutboundError */
  services(name: string, room: RoomName): Promise<readonly ServiceRecord[]>;
  /** Gives up what is under way. */
  close(): void;
}

export interface NameResolverOptions {
  /** Addresses with or without a port; empty: the system's. */
  readonly servers: readonly string[];
  readonly clock: Clock;
  readonly hostsFile?: string;
}

/** How long one server is waited for at first, and how often each is tried. */
const QUERY = { timeout: 2000, tries: 2, maxTimeout: 4000 };
/** Many, because whoever has a silent DNS server can have each of them kept for a while. */
const NAMES = { places: 500, perHost: 2, waiting: 0, patience: 0 };
const CACHED_NAMES = 10_000;
const MAX_LIFETIME = 60 * 60 * 1000;
/** Each is checked against the address lists. */
const MAX_ADDRESSES = 256;

/** Whether DNS said that there is no such thing, which is an answer. */
const isNothing = (error: unknown) => /^(ENOTFOUND|ENODATA)$/.test(codeOf(error));

const explain = (name: string) => (error: unknown) => {
  if (error instanceof OutboundError) throw error;
  throw new OutboundError(
    'name-unresolved',
    isNothing(error)
      ? `${name} does not exist in DNS`
      : `${name} could not be looked up in DNS (${codeOf(error)})`,
    { cause: error },
  );
};

/** The addresses that the system knows; none where it knows none. */
const lookUpAsSystem = (name: string): Promise<string[]> =>
  lookup(name, { all: true }).then(
    (found) => found.map(({ address }) => address),
    () => [],
  );

/**
 * `/etc/hosts` first, then DNS. Addresses are kept for as long as their TTL says. SRV records are asked for
 * each time: their TTL is known only to the DNS server, which keeps them.
 */
export function createNameResolver(options: NameResolverOptions): NameResolver {
  const hosts = createHostsFile(options.hostsFile ?? '/etc/hosts');
  const rooms = createRooms(() => NAMES);
  const underWay = new Set<AbortController>();
  const cache = createExpiringCache<readonly string[]>(options.clock, CACHED_NAMES);
  const addressFlight = createSingleFlight<readonly string[]>();
  const serviceFlight = createSingleFlight<readonly ServiceRecord[]>();

  /** Asks about a name. Each time by a resolver of its own, which is what can be told to stop. */
  function ask<T>(name: string, room: RoomName, question: (dns: Resolver) => Promise<T>) {
    const dns = new Resolver(QUERY);
    if (options.servers.length > 0) dns.setServers(options.servers);
    const controller = new AbortController();
    controller.signal.addEventListener('abort', () => dns.cancel());
    underWay.add(controller);
    const asked = rooms[room].run(name, controller, () =>
      abortable(question(dns), controller.signal),
    );
    return asked.finally(() => underWay.delete(controller));
  }

  async function lookUp(name: string, room: RoomName): Promise<readonly string[]> {
    const families = await ask(name, room, (dns) =>
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

  async function lookUpServices(name: string, room: RoomName): Promise<readonly ServiceRecord[]> {
    try {
      const records = await ask(name, room, (dns) => dns.resolveSrv(name));
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
    async addresses(given, room) {
      const bySystem = room === 'peers' ? await lookUpAsSystem(given) : [];
      if (bySystem.length > 0) return bySystem;
      const name = given.toLowerCase().replace(/\.$/, '');
      const known = await hosts.addresses(name);
      if (known !== undefined) return known;
      // RFC 6761: never a question for DNS.
      if (/(^|\.)localhost$/.test(name)) return ['127.0.0.1', '::1'];
      const cached = cache.get(name);
      if (cached !== undefined) return cached;
      return addressFlight(`${room} ${name}`, () => lookUp(name, room)).catch(explain(name));
    },
    services: (name, room) =>
      serviceFlight(`${room} ${name}`, () => lookUpServices(name, room)).catch(explain(name)),
    close() {
      for (const controller of underWay) {
        controller.abort(new OutboundError('unreachable', 'This server is shutting down'));
      }
    },
  };
}
