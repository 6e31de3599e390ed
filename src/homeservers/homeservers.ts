import type { GeneralConfig, HttpConfig } from '../config/config.ts';
import type { Clock } from '../platform/clock.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { OutboundClient } from '../platform/outbound/outbound.ts';
import type { NameResolver } from '../platform/outbound/resolver.ts';
import type { Random } from '../platform/random.ts';
import { createDiscovery } from './discovery.ts';
import { createFederationClient, type FederationClient } from './federation-client.ts';
import { createHomeserverKeys } from './keys.ts';
import { createOpenIdUser, type OpenIdUser } from './openid.ts';
import { createRequestVerifier, ownNames, type VerifyRequest } from './request-verifier.ts';
import { createWellKnown } from './well-known.ts';

/** Homeservers, as this server deals with them. */
export interface Homeservers {
  readonly federation: FederationClient;
  readonly openIdUser: OpenIdUser;
  readonly verifyRequest: VerifyRequest;
}

/** What of the configuration concerns homeservers. */
export interface HomeserversConfig {
  readonly general: Pick<GeneralConfig, 'serverName' | 'serverAliases'>;
  readonly http: Pick<HttpConfig, 'clientHttpBase' | 'federationVerifyCerts'>;
}

export interface HomeserversDependencies {
  readonly outbound: OutboundClient;
  readonly resolver: NameResolver;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
}

export function createHomeservers(
  { general, http }: HomeserversConfig,
  deps: HomeserversDependencies,
): Homeservers {
  const verifyCertificates = http.federationVerifyCerts;
  const findDelegate = createWellKnown({ ...deps, verifyCertificates });
  const discover = createDiscovery({ ...deps, findDelegate });
  const federation = createFederationClient({ ...deps, discover, verifyCertificates });
  const findKeys = createHomeserverKeys({ ...deps, federation });
  return {
    federation,
    openIdUser: createOpenIdUser(federation),
    verifyRequest: createRequestVerifier({ findKeys, ownNames: ownNames({ ...general, ...http }) }),
  };
}
