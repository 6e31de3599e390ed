import type { Logger } from 'pino';
import type { HomeserverRequests } from '../identity/limits/homeserver-requests.ts';
import type { Clock } from '../platform/clock.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { OutboundClient } from '../platform/outbound/outbound.ts';
import type { NameResolver } from '../platform/outbound/resolver.ts';
import type { Random } from '../platform/random.ts';
import { createDiscovery } from './discovery.ts';
import { createAskNamed } from './failures.ts';
import { createFederationClient, type FederationClient } from './federation-client.ts';
import { createHomeserverKeys } from './keys.ts';
import type { SendNotice } from './onbind/delivery.ts';
import { createOnbind } from './onbind/request.ts';
import { createOpenIdUser, type OpenIdUser } from './openid.ts';
import { createRequestVerifier, ownNames, type VerifyRequest } from './request-verifier.ts';
import { type HomeserverTimings, TIMINGS } from './timings.ts';
import { createWellKnown } from './well-known.ts';

/** Homeservers, as this server deals with them. */
export interface Homeservers {
  readonly federation: FederationClient;
  readonly openIdUser: OpenIdUser;
  readonly verifyRequest: VerifyRequest;
  readonly sendNotice: SendNotice;
}

/** What of the configuration concerns homeservers. */
export interface HomeserversConfig {
  readonly general: { readonly serverName: string; readonly serverAliases: readonly string[] };
  readonly http: { readonly clientHttpBase: string; readonly federationVerifyCerts: boolean };
}

export interface HomeserversDependencies {
  readonly outbound: OutboundClient;
  readonly resolver: NameResolver;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly requests: HomeserverRequests;
  /** Where they are not to be the usual ones. */
  readonly timings?: Partial<HomeserverTimings> | undefined;
}

export function createHomeservers(
  { general, http }: HomeserversConfig,
  given: HomeserversDependencies,
): Homeservers {
  const timings = { ...TIMINGS, ...given.timings };
  const deps = { ...given, timings, askNamed: createAskNamed({ ...given, timings }) };
  const verifyCertificates = http.federationVerifyCerts;
  const findDelegate = createWellKnown({ ...deps, verifyCertificates });
  const discover = createDiscovery({ ...deps, findDelegate });
  const federation = createFederationClient({ ...deps, discover, verifyCertificates });
  const findKeys = createHomeserverKeys({ ...deps, federation });
  return {
    federation,
    openIdUser: createOpenIdUser({ ...deps, federation }),
    verifyRequest: createRequestVerifier({
      ...deps,
      findKeys,
      ownNames: ownNames({ ...general, ...http }),
    }),
    sendNotice: createOnbind(federation, timings),
  };
}
