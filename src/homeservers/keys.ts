import type { Clock } from '../platform/clock.ts';
import { createExpiringCache } from '../platform/expiring-cache.ts';
import { createSingleFlight } from '../platform/single-flight.ts';
import { decodeBase64 } from '../signing/base64.ts';
import { isObject } from '../signing/json.ts';
import { signatureChecker } from '../signing/signed-json.ts';
import { nonsense } from './failures.ts';
import type { FederationClient } from './federation-client.ts';
import { jsonObject } from './json.ts';

/** Key id → the 32 bytes of the public key. */
export type VerifyKeys = ReadonlyMap<string, Uint8Array>;

/**
 * The keys with which a homeserver signs its requests, from itself. They are asked for anew when none of the ids
 * looked for is among those known.
 * @throws OutboundError when it does not answer; IdentityError `homeserver-failed` when that makes no sense
 */
export type FindKeys = (serverName: string, keyIds: readonly string[]) => Promise<VerifyKeys>;

export interface HomeserverKeysDependencies {
  readonly federation: FederationClient;
  readonly clock: Clock;
}

const LIMITS = { timeout: 10_000, maxBytes: 50 * 1024 };
const MAX_LIFETIME = 7 * 24 * 60 * 60 * 1000;
/** Whoever makes up key ids does not make us ask more often than this. */
const REFETCH_INTERVAL = 60_000;
const CACHED_SERVERS = 10_000;
const MAX_KEYS = 20;

interface KnownKeys {
  readonly keys: VerifyKeys;
  readonly fetched: number;
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

export function createHomeserverKeys({ federation, clock }: HomeserverKeysDependencies): FindKeys {
  const cache = createExpiringCache<KnownKeys>(clock, CACHED_SERVERS);
  const flight = createSingleFlight<KnownKeys>();

  async function fetchKeys(serverName: string): Promise<KnownKeys> {
    const { status, body } = await federation.request({
      method: 'GET',
      serverName,
      path: '/_matrix/key/v2/server',
      ...LIMITS,
    });
    if (status !== 200)
      throw nonsense(`${serverName} answered with ${status} when asked for its keys`);
    const answer = jsonObject(body);
    if (answer?.['server_name'] !== serverName) {
      throw nonsense(`${serverName} did not answer with keys of its own`);
    }
    const keys = selfSigned(answer, serverName);
    if (keys.size === 0) throw nonsense(`The keys of ${serverName} are not signed by themselves`);
    const validUntil = answer['valid_until_ts'];
    const lifetime = typeof validUntil === 'number' ? validUntil - clock.now() : 0;
    if (lifetime <= 0) throw nonsense(`The keys of ${serverName} are not valid any more`);
    const known = { keys, fetched: clock.now() };
    cache.set(serverName, known, Math.min(lifetime, MAX_LIFETIME));
    return known;
  }

  return async (serverName, keyIds) => {
    const known = cache.get(serverName);
    if (known !== undefined) {
      const fits = keyIds.some((keyId) => known.keys.has(keyId));
      if (fits || clock.now() - known.fetched < REFETCH_INTERVAL) return known.keys;
    }
    return (await flight(serverName, () => fetchKeys(serverName))).keys;
  };
}
