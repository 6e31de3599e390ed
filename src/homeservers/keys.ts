import { isSameServer } from '../model/server-name.ts';
import type { Clock } from '../platform/clock.ts';
import { createExpiringCache } from '../platform/expiring-cache.ts';
import { OutboundError } from '../platform/outbound/outbound-error.ts';
import { createSingleFlight } from '../platform/single-flight.ts';
import { decodeBase64 } from '../signing/base64.ts';
import { isObject } from '../signing/json.ts';
import { signatureChecker } from '../signing/signed-json.ts';
import { nonsense } from './failures.ts';
import type { FederationClient } from './federation-client.ts';
import { jsonObject } from './json.ts';
import type { HomeserverTimings } from './timings.ts';

/** Key id → the 32 bytes of the public key. */
export type VerifyKeys = ReadonlyMap<string, Uint8Array>;

/**
 * The keys with which a homeserver signs its requests, from itself. They are asked for anew when none of the ids
 * looked for is among those known, once at a time and once a minute at most, whatever came of it.
 * @param asking runs what asks it, where its keys are not known
 * @throws OutboundError when it does not answer; IdentityError `homeserver-failed` when that makes no sense
 */
export type FindKeys = (
  serverName: string,
  keyIds: readonly string[],
  asking: <T>(ask: () => Promise<T>) => Promise<T>,
) => Promise<VerifyKeys>;

export interface HomeserverKeysDependencies {
  readonly federation: FederationClient;
  readonly clock: Clock;
  readonly timings: Pick<HomeserverTimings, 'keys'>;
}

const MAX_BYTES = 50 * 1024;
const MAX_LIFETIME = 7 * 24 * 60 * 60 * 1000;
/** Whoever makes up key ids, or names who does not answer, does not make us ask more often than this. */
const REFETCH_INTERVAL = 60_000;
const CACHED_SERVERS = 10_000;
const MAX_KEYS = 20;

interface KnownKeys {
  /** As the homeserver writes its name. */
  readonly serverName: string;
  readonly keys: VerifyKeys;
  /** By the clock that does not step. */
  readonly fetched: number;
  /** Milliseconds from then on. */
  readonly lifetime: number;
  readonly validUntil: number;
}

/** The ed25519 keys of an answer by which it is signed itself. */
function selfSigned(answer: Record<string, unknown>, serverName: string): VerifyKeys {
  const listed = isObject(answer['verify_keys']) ? answer['verify_keys'] : {};
  const keys = new Map<string, Uint8Array>();
  const isSignedBy = signatureChecker(answer);
  for (const [keyId, entry] of Object.entries(listed).slice(0, MAX_KEYS)) {
    const encoded = isObject(entry) ? entry['key'] : undefined;
    const key = typeof encoded === 'string' ? decodeBase64(encoded) : undefined;
    if (!keyId.startsWith('ed25519:') || key === undefined) continue;
    if (isSignedBy(serverName, keyId, key)) keys.set(keyId, key);
  }
  return keys;
}

export function createHomeserverKeys(deps: HomeserverKeysDependencies): FindKeys {
  const { federation, clock, timings } = deps;
  // By the name in lower case: one server can be named in many ways. Those that failed take no place of the others.
  const known = createExpiringCache<KnownKeys>(clock, CACHED_SERVERS);
  const failed = createExpiringCache<unknown>(clock, CACHED_SERVERS);
  const flight = createSingleFlight<KnownKeys>();

  async function ask(name: string): Promise<KnownKeys> {
    const { status, body } = await federation.request({
      method: 'GET',
      serverName: name,
      path: '/_matrix/key/v2/server',
      room: 'keys',
      time: timings.keys,
      maxBytes: MAX_BYTES,
    });
    if (status !== 200) throw nonsense(`${name} answered with ${status} when asked for its keys`);
    const answer = jsonObject(body);
    const serverName = answer?.['server_name'];
    if (typeof serverName !== 'string' || !isSameServer(serverName, name)) {
      throw nonsense(`${name} did not answer with keys of its own`);
    }
    const keys = selfSigned(answer ?? {}, serverName);
    if (keys.size === 0) throw nonsense(`The keys of ${name} are not signed by themselves`);
    const ends = answer?.['valid_until_ts'];
    const now = clock.now();
    const validUntil = Math.min(typeof ends === 'number' ? ends : 0, now + MAX_LIFETIME);
    if (validUntil <= now) throw nonsense(`The keys of ${name} are not valid any more`);
    return { serverName, keys, fetched: clock.monotonic(), lifetime: validUntil - now, validUntil };
  }

  async function fetchKeys(name: string): Promise<KnownKeys> {
    try {
      const found = await ask(name);
      known.set(name, found, Math.max(found.lifetime, REFETCH_INTERVAL));
      return found;
    } catch (error) {
      // Our own trouble says nothing of the homeserver.
      const isOurs = error instanceof OutboundError && error.kind === 'overloaded';
      if (!isOurs) failed.set(name, error, REFETCH_INTERVAL);
      throw error;
    }
  }

  async function find(
    name: string,
    keyIds: readonly string[],
    asking: Parameters<FindKeys>[2],
  ): Promise<KnownKeys> {
    const found = known.get(name);
    if (found !== undefined) {
      const fits = clock.now() < found.validUntil && keyIds.some((keyId) => found.keys.has(keyId));
      if (fits || clock.monotonic() - found.fetched < REFETCH_INTERVAL) return found;
    }
    const failure = failed.get(name);
    if (failure !== undefined) throw failure;
    return asking(() => flight(name, () => fetchKeys(name)));
  }

  return async (serverName, keyIds, asking) => {
    const found = await find(serverName.toLowerCase(), keyIds, asking);
    if (found.serverName !== serverName) {
      throw nonsense(`${serverName} did not answer with keys of its own`);
    }
    if (clock.now() >= found.validUntil) {
      throw nonsense(`The keys of ${serverName} are not valid any more`);
    }
    return found.keys;
  };
}
