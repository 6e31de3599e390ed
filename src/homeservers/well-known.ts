import { isReachableName } from '../model/server-name.ts';
import type { Clock } from '../platform/clock.ts';
import { createExpiringCache } from '../platform/expiring-cache.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { OutboundAnswer, OutboundClient } from '../platform/outbound/outbound.ts';
import { OutboundError } from '../platform/outbound/outbound-error.ts';
import type { RoomName } from '../platform/outbound/room.ts';
import type { Random } from '../platform/random.ts';
import { createSingleFlight } from '../platform/single-flight.ts';
import { jsonObject } from './json.ts';
import type { HomeserverTimings } from './timings.ts';

/**
 * Which server speaks for a homeserver: the `m.server` of its well-known file; undefined: nobody else.
 * @param room whose places it takes to ask
 */
export type FindDelegate = (hostname: string, room: RoomName) => Promise<string | undefined>;

export interface WellKnownDependencies {
  readonly outbound: OutboundClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly verifyCertificates: boolean;
  readonly timings: Pick<HomeserverTimings, 'wellKnown'>;
}

const HOUR = 60 * 60 * 1000;
const LIFETIME = { usual: 24 * HOUR, longest: 48 * HOUR, ofFailure: HOUR };
/** Everything ends a little early, by up to this part of its lifetime, so that not all ends together. */
const JITTER = 0.1;
const LIMITS = { maxBytes: 50 * 1024, maxRedirects: 10 };
const CACHED_NAMES = 10_000;

function delegateIn(answer: OutboundAnswer): string | undefined {
  if (answer.status !== 200) return undefined;
  const delegate = jsonObject(answer.body)?.['m.server'];
  return typeof delegate === 'string' && isReachableName(delegate)
    ? delegate.toLowerCase()
    : undefined;
}

/** Milliseconds for which the answer's own headers let it be kept; undefined when they do not say. */
function lifetimeOf({ headers }: OutboundAnswer, now: number): number | undefined {
  const directives = String(headers['cache-control'] ?? '').toLowerCase();
  if (/(^|[\s,])no-(store|cache)\b/.test(directives)) return 0;
  const maxAge = /(?:^|[\s,])max-age\s*=\s*"?(\d+)/.exec(directives)?.[1];
  if (maxAge !== undefined) return Number(maxAge) * 1000;
  const { expires } = headers;
  if (typeof expires !== 'string') return undefined;
  const date = Date.parse(expires);
  // RFC 9111: what is not a date lies in the past.
  return Number.isNaN(date) ? 0 : Math.max(0, date - now);
}

/** Reads `/.well-known/matrix/server` of homeservers, and remembers it. @throws OutboundError `overloaded` only */
export function createWellKnown(deps: WellKnownDependencies): FindDelegate {
  const { outbound, clock, random, metrics, verifyCertificates, timings } = deps;
  const cache = createExpiringCache<{ readonly delegate: string | undefined }>(clock, CACHED_NAMES);
  /** What was said before, for when nothing is said. */
  const before = createExpiringCache<string>(clock, CACHED_NAMES);
  const flight = createSingleFlight<string | undefined>();

  /** The answer; undefined when none came, or one that says that the web server is in trouble. */
  async function ask(hostname: string, room: RoomName): Promise<OutboundAnswer | undefined> {
    try {
      const answer = await outbound.request({
        method: 'GET',
        url: `https://${hostname}/.well-known/matrix/server`,
        anyCertificate: !verifyCertificates,
        room,
        time: timings.wellKnown,
        ...LIMITS,
      });
      return answer.status < 500 ? answer : undefined;
    } catch (error) {
      // Our own trouble says nothing of the homeserver.
      if (!(error instanceof OutboundError) || error.kind === 'overloaded') throw error;
      return undefined;
    }
  }

  async function fetchDelegate(hostname: string, room: RoomName): Promise<string | undefined> {
    metrics.homeserverDiscovery('network');
    const answer = await ask(hostname, room);
    const delegate = answer === undefined ? before.get(hostname) : delegateIn(answer);
    let lifetime: number = LIFETIME.ofFailure;
    if (answer !== undefined && delegate !== undefined) {
      lifetime = Math.min(lifetimeOf(answer, clock.now()) ?? LIFETIME.usual, LIFETIME.longest);
      before.set(hostname, delegate, lifetime > 0 ? LIFETIME.longest - LIFETIME.ofFailure : 0);
    }
    cache.set(hostname, { delegate }, lifetime * (1 - JITTER * random.fraction()));
    return delegate;
  }

  return async (hostname, room) => {
    const known = cache.get(hostname);
    if (known === undefined) {
      return flight(`${room} ${hostname}`, () => fetchDelegate(hostname, room));
    }
    metrics.homeserverDiscovery('cache');
    return known.delegate;
  };
}
