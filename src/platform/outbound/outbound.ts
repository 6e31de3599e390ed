import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { Metrics } from '../metrics.ts';
import { inSpan } from '../tracing/scope.ts';
import type { About } from '../tracing/span.ts';
import { createAddressPolicy } from './address-policy.ts';
import type { IdleLimits } from './agent.ts';
import { createDialer, type Target, type TlsIdentity } from './dialer.ts';
import { createExchange } from './exchange.ts';
import { OutboundError } from './outbound-error.ts';
import type { NameResolver } from './resolver.ts';
import { createRooms, type RoomLimits, type RoomName } from './room.ts';

/** Milliseconds that an answer may take. */
export interface TimeLimits {
  /** Connecting, where it is not to be the usual time. */
  readonly connect?: number;
  /** Its beginning, counted from the connection on. */
  readonly answer: number;
  /** Everything: the wait for a place, connecting and redirects included. */
  readonly total: number;
}

/** A request to a server that somebody else may have named. */
export interface OutboundRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** http or https. */
  readonly url: string;
  /** Names in lower case. `host` stands in for the one in the URL. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Whose places it takes. */
  readonly room: RoomName;
  readonly time: TimeLimits;
  /** A longer answer is given up. */
  readonly maxBytes: number;
  /** 0 (the default): a redirect is answered as it is. Only those of a GET are followed. */
  readonly maxRedirects?: number;
  /** The URL stands in the configuration file: the address lists do not apply to it. */
  readonly configured?: boolean;
  /** Where to connect to in place of the URL's host and port, in this order. */
  readonly via?: readonly Target[];
  /** Whether the server's certificate does not matter. */
  readonly anyCertificate?: boolean;
  /** With what this server shows itself, and whom it trusts to vouch for the other one. */
  readonly identity?: TlsIdentity;
  /** Whether it does no harm when it arrives twice: a POST goes out on a new connection otherwise. */
  readonly repeatable?: boolean;
  /** Whether an answer counts whose body is too long or cannot be read: with an empty one. */
  readonly bodyIsOptional?: boolean;
  /** Whether who asks tells of failures in the log. */
  readonly isQuiet?: boolean;
  /** Gives up before the time is over, with its reason. */
  readonly signal?: AbortSignal;
}

export interface OutboundAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** The one way out: every URL that someone else influences goes through it. */
export interface OutboundClient {
  /** @throws OutboundError */
  request(request: OutboundRequest): Promise<OutboundAnswer>;
  /** Gives up what is under way. */
  close(): Promise<void>;
}

export interface OutboundDependencies {
  readonly blacklist: readonly string[];
  readonly whitelist: readonly string[];
  readonly resolver: NameResolver;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, 'outboundRequest' | 'outboundRooms'>;
  readonly logger: Logger;
  /** PEM; in place of the authorities that the system trusts. */
  readonly trustedCa?: string | undefined;
  /** Where they are not to be the usual ones. */
  readonly limits?: OutboundLimits | undefined;
}

export interface OutboundLimits {
  readonly rooms?: Partial<Record<RoomName, Partial<RoomLimits>>>;
  /** Which connections are kept for the next request. */
  readonly idle?: IdleLimits;
  /** Milliseconds for finding the addresses of a host and connecting to one of them, TLS included. */
  readonly connect?: number;
}

/** At 2 s an answer the last one waits for 10 s: no client has more patience. */
const HOST = { perHost: 50, waiting: 250, patience: 10_000 };
const ROOMS: Readonly<Record<RoomName, RoomLimits>> = {
  // One provider of text messages: nothing ever gives way.
  configured: { places: 100, ...HOST },
  // The provider that vouches for operators: few of them ask at once.
  issuer: { places: 40, perHost: 20, waiting: 100, patience: 5000 },
  logins: { places: 500, ...HOST },
  keys: { places: 250, ...HOST },
  // More than the dispatcher ever has under way.
  notices: { places: 600, ...HOST },
  // One push at a time to each.
  peers: { places: 1000, ...HOST },
};
const IDLE: IdleLimits = { perHost: 32, overall: 256, timeout: 5000 };
const CONNECT = 5000;

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '') {
    return url;
  }
  throw new OutboundError('protocol', 'This is not an http or https URL');
}

/** The request that a redirect asks for; undefined when there is none to be followed. */
function redirected(request: OutboundRequest, answer: OutboundAnswer): OutboundRequest | undefined {
  const { location } = answer.headers;
  if (!REDIRECTS.has(answer.status) || typeof location !== 'string') return undefined;
  const { method, room, time, maxBytes, anyCertificate = false } = request;
  const from = new URL(request.url);
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  const secure =
    to?.protocol === 'https:' || (to?.protocol === 'http:' && from.protocol === to.protocol);
  if (to === undefined || !secure || to.username !== '' || to.password !== '') {
    throw new OutboundError('redirects', `${from.host} redirects to what is not followed`);
  }
  // What was meant for the first host, its exemptions, identity and headers, is not passed on to another.
  if (to.origin !== from.origin) {
    return { method, url: to.href, room, time, maxBytes, anyCertificate };
  }
  return { ...request, url: to.href };
}

/** Neither path nor query are told: keys and names may be in them. */
function aboutOf({ method, url, room }: OutboundRequest): About {
  const { hostname, port, protocol } = new URL(url);
  return {
    name: method,
    kind: 'client',
    attributes: {
      'http.request.method': method,
      'server.address': hostname,
      'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
      'cognomen.room': room,
    },
  };
}

export function createOutboundClient(deps: OutboundDependencies): OutboundClient {
  const { metrics, logger, clock, resolver, trustedCa, limits = {} } = deps;
  const policy = createAddressPolicy(deps);
  const dial = createDialer({
    policy,
    resolver,
    trustedCa,
    clock,
    limit: limits.connect ?? CONNECT,
  });
  const exchange = createExchange(dial, limits.idle ?? IDLE);
  const rooms = createRooms((name) => ({ ...ROOMS[name], ...limits.rooms?.[name] }));
  const underWay = new Set<AbortController>();
  metrics.outboundRooms(() =>
    Object.entries(rooms).map(([room, { usage }]) => ({ room, ...usage })),
  );

  function send(request: OutboundRequest, controller: AbortController): Promise<OutboundAnswer> {
    const url = parseUrl(request.url);
    return rooms[request.room].run(url.host, controller, () =>
      exchange.run(request, url, controller.signal),
    );
  }

  async function follow(first: OutboundRequest, controller: AbortController) {
    const { maxRedirects = 0, method } = first;
    let request = first;
    for (let hops = 0; ; hops++) {
      const answer = await send(request, controller);
      const next = maxRedirects > 0 && method === 'GET' ? redirected(request, answer) : undefined;
      if (next === undefined) return answer;
      if (hops === maxRedirects) {
        throw new OutboundError('redirects', `${new URL(first.url).host} redirects too often`);
      }
      request = next;
    }
  }

  /** Runs the work for as long as it may take. */
  async function within<T>(
    request: OutboundRequest,
    work: (controller: AbortController) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController();
    const { host } = parseUrl(request.url);
    const timer = setTimeout(
      () => controller.abort(new OutboundError('timeout', `${host} did not answer in time`)),
      request.time.total,
    );
    const giveUp = () => controller.abort(request.signal?.reason);
    request.signal?.addEventListener('abort', giveUp, { once: true });
    underWay.add(controller);
    try {
      request.signal?.throwIfAborted();
      return await work(controller);
    } finally {
      clearTimeout(timer);
      request.signal?.removeEventListener('abort', giveUp);
      underWay.delete(controller);
    }
  }

  return {
    async request(request) {
      try {
        parseUrl(request.url);
        const answer = await inSpan(
          () => aboutOf(request),
          async (span) => {
            const found = await within(request, (controller) => follow(request, controller));
            span?.tell({ 'http.response.status_code': found.status });
            return found;
          },
        );
        metrics.outboundRequest('answered');
        return answer;
      } catch (error) {
        if (error instanceof OutboundError) {
          metrics.outboundRequest(error.kind);
          const { kind, message: reason } = error;
          if (!request.isQuiet) logger.info({ kind, reason }, 'Outbound request failed');
        }
        throw error;
      }
    },
    async close() {
      for (const controller of underWay) {
        controller.abort(new OutboundError('unreachable', 'This server is shutting down'));
      }
      exchange.close();
    },
  };
}
