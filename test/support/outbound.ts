import pino from 'pino';
import { createHomeservers, type HomeserversConfig } from '../../src/homeservers/homeservers.ts';
import type { HomeserverTimings } from '../../src/homeservers/timings.ts';
import type { Caller } from '../../src/identity/limits/charges.ts';
import { createHomeserverRequests } from '../../src/identity/limits/homeserver-requests.ts';
import { createLimits } from '../../src/identity/limits/limits.ts';
import { createBuckets } from '../../src/platform/buckets.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import {
  createOutboundClient,
  type OutboundClient,
  type OutboundDependencies,
  type OutboundRequest,
} from '../../src/platform/outbound/outbound.ts';
import { createNameResolver } from '../../src/platform/outbound/resolver.ts';
import { secureRandom } from '../../src/platform/random.ts';
import type { TestDnsServer } from './dns-server.ts';
import { TestClock } from './server.ts';
import type { TestCa } from './tls.ts';

export interface TestOutboundOptions {
  readonly dns: TestDnsServer;
  readonly ca?: TestCa | undefined;
  readonly whitelist?: readonly string[];
  readonly blacklist?: readonly string[];
  readonly limits?: OutboundDependencies['limits'];
  readonly hostsFile?: string;
}

/** The outbound client with real sockets, by a test's DNS server and authority. */
export function testOutbound(options: TestOutboundOptions) {
  const {
    dns,
    ca,
    whitelist = ['127.0.0.0/8', '::1'],
    blacklist = [],
    limits,
    hostsFile,
  } = options;
  const clock = new TestClock();
  const logs: string[] = [];
  const logger = pino({ level: 'debug' }, { write: (line: string) => void logs.push(line) });
  const metrics = createMetrics();
  const resolver = createNameResolver({
    servers: [dns.address],
    clock,
    ...(hostsFile === undefined ? {} : { hostsFile }),
  });
  const outbound = createOutboundClient({
    blacklist,
    whitelist,
    resolver,
    clock,
    metrics,
    logger,
    trustedCa: ca?.pem,
    ...(limits === undefined ? {} : { limits }),
  });
  /** A request that, unless it says otherwise, has one time for all. */
  const get = (
    url: string,
    { timeout = 60_000, ...more }: Partial<OutboundRequest> & { readonly timeout?: number } = {},
  ) => {
    const time = { answer: timeout, total: timeout };
    return outbound.request({ method: 'GET', url, room: 'logins', time, maxBytes: 1000, ...more });
  };
  return { outbound, resolver, clock, metrics, logger, logs, get };
}

const ANYBODY: Caller = { version: 'v2', user: undefined, address: '', networks: [] };

/**
 * Homeservers whose well-known files and default ports are served on free ports of this machine: requests go
 * to the host that they would go to, on the port that stands for 443 or 8448.
 */
export function testHomeservers(
  options: TestOutboundOptions & {
    readonly ports: { readonly 443: number; readonly 8448: number };
    readonly config?: Partial<HomeserversConfig['general'] & HomeserversConfig['http']>;
    readonly timings?: Partial<HomeserverTimings>;
  },
) {
  const test = testOutbound(options);
  const { ports } = options;
  const moved = (port: number) => (port === 443 || port === 8448 ? ports[port] : port);
  const outbound: OutboundClient = {
    ...test.outbound,
    request(request) {
      const { hostname, port } = new URL(request.url);
      const host = hostname.replace(/^\[|\]$/g, '');
      const via = request.via ?? [{ host, port: Number(port) || 443 }];
      return test.outbound.request({
        ...request,
        via: via.map((target) => ({ ...target, port: moved(target.port) })),
      });
    },
  };
  const config = {
    serverName: 'id.test',
    serverAliases: [],
    clientHttpBase: 'https://id.test',
    federationVerifyCerts: true,
    ...options.config,
  };
  const limits = createLimits({
    ...test,
    buckets: createBuckets(test.clock),
    settings: {},
    onExceeded() {},
  });
  const homeservers = createHomeservers(
    { general: config, http: config },
    {
      ...test,
      outbound,
      random: secureRandom,
      requests: createHomeserverRequests({ limits, isFailure: () => false }),
      timings: { failure: 0, ...options.timings },
    },
  );
  return {
    ...test,
    ...homeservers,
    openIdUser: (serverName: string, token: string) =>
      homeservers.openIdUser(serverName, token, ANYBODY),
    verifyRequest: (request: Parameters<typeof homeservers.verifyRequest>[0]) =>
      homeservers.verifyRequest(request, ANYBODY),
  };
}
