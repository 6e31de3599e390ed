import { isIP } from 'node:net';
import type { Target } from '../platform/outbound/dialer.ts';
import { OutboundError } from '../platform/outbound/outbound-error.ts';
import type { NameResolver, ServiceRecord } from '../platform/outbound/resolver.ts';
import type { RoomName } from '../platform/outbound/room.ts';
import type { Random } from '../platform/random.ts';
import type { FindDelegate } from './well-known.ts';

/** How a homeserver is reached. */
export interface Destination {
  /** For the Host header; its host is the one that the certificate is for. */
  readonly host: string;
  /** Where to connect to, in this order. */
  readonly targets: readonly Target[];
}

/**
 * Finds a homeserver by its name, in lower case (specification, "Resolving server names").
 * @param room whose places it takes to ask
 * @throws OutboundError
 */
export type Discover = (serverName: string, room: RoomName) => Promise<Destination>;

export interface DiscoveryDependencies {
  readonly findDelegate: FindDelegate;
  readonly resolver: NameResolver;
  readonly random: Random;
}

const FEDERATION_PORT = 8448;
const SERVICES = ['_matrix-fed._tcp', '_matrix._tcp'];

interface NameParts {
  readonly hostname: string;
  readonly port: number | undefined;
}

function split(serverName: string): NameParts {
  const [, inBrackets, plain = '', port] =
    /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(serverName) ?? [];
  return { hostname: inBrackets ?? plain, port: port === undefined ? undefined : Number(port) };
}

/** More are not tried, however many there are. */
const MAX_RECORDS = 8;

/** Those to be tried, in their order (RFC 2782): by priority, then drawn by weight. */
export function orderRecords(
  records: readonly ServiceRecord[],
  random: Random,
): readonly ServiceRecord[] {
  const left = records.toSorted((a, b) => a.priority - b.priority || a.weight - b.weight);
  const ordered: ServiceRecord[] = [];
  for (let first = left[0]; first && ordered.length < MAX_RECORDS; first = left[0]) {
    const { priority } = first;
    const equals = left.filter((record) => record.priority === priority);
    const total = equals.reduce((sum, { weight }) => sum + weight, 0);
    let rest = Math.floor(random.fraction() * (total + 1));
    const drawn = equals.find(({ weight }) => {
      rest -= weight;
      return rest <= 0;
    });
    ordered.push(...left.splice(left.indexOf(drawn ?? first), 1));
  }
  return ordered;
}

export function createDiscovery(deps: DiscoveryDependencies): Discover {
  const { findDelegate, resolver, random } = deps;

  /** Of names that say themselves where they are: IP addresses, and those with a port. */
  function explicit(serverName: string): Destination | undefined {
    const { hostname, port } = split(serverName);
    if (isIP(hostname) === 0 && port === undefined) return undefined;
    return { host: serverName, targets: [{ host: hostname, port: port ?? FEDERATION_PORT }] };
  }

  /** None where DNS cannot tell, either: the name may be in the hosts file only. */
  async function servicesOf(name: string, room: RoomName): Promise<readonly ServiceRecord[]> {
    try {
      return await resolver.services(name, room);
    } catch (error) {
      if (error instanceof OutboundError && error.kind === 'name-unresolved') return [];
      throw error;
    }
  }

  async function byService(hostname: string, room: RoomName): Promise<Destination> {
    const found = await Promise.all(
      SERVICES.map((service) => servicesOf(`${service}.${hostname}`, room)),
    );
    for (const records of found) {
      if (records.length === 0) continue;
      const offered = records.filter(({ target }) => target !== '' && target !== '.');
      if (offered.length === 0) {
        throw new OutboundError('unreachable', `DNS says that ${hostname} is not a homeserver`);
      }
      const targets = orderRecords(offered, random).map(({ target, port }) => ({
        host: target,
        port,
      }));
      return { host: hostname, targets };
    }
    return { host: hostname, targets: [{ host: hostname, port: FEDERATION_PORT }] };
  }

  return async (serverName, room) => {
    const { hostname } = split(serverName);
    // A browser would read 2130706433 and 0x7f.1 as IP addresses; a server name they are not.
    if (isIP(hostname) === 0 && /(^|\.)(\d+|0x[0-9a-f]*)\.?$/.test(hostname)) {
      throw new OutboundError('address-refused', `${hostname} is not how an IP address is written`);
    }
    const stated = explicit(serverName);
    if (stated !== undefined) return stated;
    const delegate = await findDelegate(serverName, room);
    if (delegate === undefined) return byService(serverName, room);
    return explicit(delegate) ?? byService(delegate, room);
  };
}
