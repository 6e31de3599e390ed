import { once } from 'node:events';
import { isIP, connect as netConnect, type Socket } from 'node:net';
import {
  checkServerIdentity,
  createSecureContext,
  type SecureContext,
  connect as tlsConnect,
} from 'node:tls';
import type { Clock } from '../clock.ts';
import type { AddressPolicy } from './address-policy.ts';
import { abortable, codeOf, OutboundError, withinTime } from './outbound-error.ts';
import type { NameResolver } from './resolver.ts';
import type { RoomName } from './room.ts';

/** Where to connect to. */
export interface Target {
  /** A host name or IP address. */
  readonly host: string;
  readonly port: number;
}

/** A certificate to show to the other server, and the authorities that may vouch for that one. */
export interface TlsIdentity {
  readonly context: SecureContext;
  /** Connections are kept for requests of the same. */
  readonly id: string;
}

/** How a server is to be connected to. */
export interface Route {
  /** Tried in this order; at least one. */
  readonly targets: readonly Target[];
  /** undefined: plain TCP. */
  readonly tls:
    | {
        /** The name or address that the certificate has to be for. */
        readonly name: string;
        readonly anyCertificate: boolean;
        /** In place of the usual authorities. */
        readonly identity: TlsIdentity | undefined;
      }
    | undefined;
  /** The address lists do not apply. */
  readonly configured: boolean;
  /** Milliseconds, where they are not to be the usual ones. */
  readonly within: number | undefined;
}

/** Opens a connection, for a request of that room. @throws OutboundError, or the signal's reason */
export type Dial = (route: Route, room: RoomName, signal: AbortSignal) => Promise<Socket>;

export interface DialerDependencies {
  readonly policy: AddressPolicy;
  readonly resolver: NameResolver;
  readonly clock: Clock;
  /** Milliseconds for everything up to the end of the TLS handshake, whatever there is to try. */
  readonly limit: number;
  /** PEM; in place of the authorities that the system trusts. */
  readonly trustedCa?: string | undefined;
}

const MAX_ATTEMPTS = 8;
/** The least that an address gets of the time, in milliseconds. */
const SHORTEST_ATTEMPT = 500;

/** As everything else on the web reads it: `2130706433`, `0x7f.1` and `127.0.0.1.` are 127.0.0.1. */
function canonicalHost(host: string): string {
  const url = isIP(host) === 6 ? `http://[${host}]` : `http://${host}`;
  if (!URL.canParse(url)) {
    throw new OutboundError('name-unresolved', `${JSON.stringify(host)} is not a host name`);
  }
  return new URL(url).hostname.replace(/^\[|\]$/g, '');
}

export function createDialer(deps: DialerDependencies): Dial {
  const { policy, resolver, clock, limit, trustedCa } = deps;
  const secureContext = createSecureContext({
    minVersion: 'TLSv1.2',
    ...(trustedCa === undefined ? {} : { ca: trustedCa }),
  });

  /** The addresses of a host, each of them allowed. */
  async function allowedAddresses(
    given: string,
    room: RoomName,
    configured: boolean,
  ): Promise<readonly string[]> {
    const host = canonicalHost(given);
    const addresses = isIP(host) === 0 ? await resolver.addresses(host, room) : [host];
    if (!configured && !addresses.every((address) => policy.allows(address))) {
      throw new OutboundError(
        'address-refused',
        `${given} is at an address that this server does not connect to`,
      );
    }
    // IPv4 first: a machine without IPv6 does not always know that it has none.
    return addresses.toSorted((a, b) => isIP(a) - isIP(b));
  }

  function open(address: string, port: number, tls: Route['tls']): [Socket, event: string] {
    if (tls === undefined) return [netConnect({ host: address, port }), 'connect'];
    const socket = tlsConnect({
      host: address,
      port,
      secureContext: tls.identity?.context ?? secureContext,
      // An IP address cannot be asked for by name, and the dot at the end of a name is left out (RFC 6066).
      servername: isIP(tls.name) === 0 ? tls.name.replace(/\.$/, '') : '',
      ALPNProtocols: ['http/1.1'],
      rejectUnauthorized: !tls.anyCertificate,
      checkServerIdentity: (_host, certificate) => checkServerIdentity(tls.name, certificate),
    });
    return [socket, 'secureConnect'];
  }

  async function attempt(address: string, target: Target, tls: Route['tls'], signal: AbortSignal) {
    const [socket, event] = open(address, target.port, tls);
    let connected = false;
    socket.once('connect', () => {
      connected = true;
    });
    const where = `${target.host}, port ${target.port},`;
    try {
      await once(socket, event, { signal });
      return socket;
    } catch (error) {
      socket.on('error', () => {});
      socket.destroy();
      signal.throwIfAborted();
      throw connected
        ? new OutboundError('tls', `TLS with ${where} failed (${codeOf(error)})`, { cause: error })
        : new OutboundError('unreachable', `${where} cannot be reached (${codeOf(error)})`, {
            cause: error,
          });
    }
  }

  async function connect(route: Route, room: RoomName, signal: AbortSignal): Promise<Socket> {
    const { targets, tls, configured, within = limit } = route;
    const failures: OutboundError[] = [];
    const note = (error: unknown) => {
      if (!(error instanceof OutboundError) || signal.aborted) throw error;
      failures.push(error);
    };
    const began = clock.monotonic();
    /** One of so many that are left to try does not use up what the others need. */
    const share = (left: number) =>
      Math.max(SHORTEST_ATTEMPT, (within - (clock.monotonic() - began)) / left);
    let attempts = 0;
    for (const [index, target] of targets.entries()) {
      const others = targets.length - 1 - index;
      const unknown = () =>
        new OutboundError('name-unresolved', `${target.host} could not be looked up in time`);
      const addresses = await withinTime(
        share(1 + others),
        unknown,
        (ending) => abortable(allowedAddresses(target.host, room, configured), ending),
        signal,
      ).catch(note);
      for (const [at, address] of addresses?.entries() ?? []) {
        if (++attempts > MAX_ATTEMPTS) break;
        const left = Math.min((addresses?.length ?? 0) - at + others, MAX_ATTEMPTS);
        const silent = () =>
          new OutboundError('unreachable', `${target.host}, port ${target.port}, does not answer`);
        try {
          return await withinTime(
            share(left),
            silent,
            (ending) => attempt(address, target, tls, ending),
            signal,
          );
        } catch (error) {
          note(error);
        }
      }
    }
    throw failures[0] ?? new OutboundError('unreachable', 'There is no address to connect to');
  }

  return (route, room, signal) => {
    const silent = () =>
      new OutboundError(
        'unreachable',
        `${route.targets[0]?.host} could not be connected to in time`,
      );
    return withinTime(
      route.within ?? limit,
      silent,
      (ending) => connect(route, room, ending),
      signal,
    );
  };
}
