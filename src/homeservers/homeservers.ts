import type { Clock } from '../platform/clock.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { OutboundClient } from '../platform/outbound/outbound.ts';
import type { NameResolver } from '../platform/outbound/resolver.ts';
import type { Random } from '../platform/random.ts';
import { createDiscovery } from './discovery.ts';
import { createFederationClient, type FederationClient } from './federation-client.ts';
import { createWellKnown } from './well-known.ts';

/** Homeservers, as this server deals with them. */
export interface Homeservers {
  readonly federation: FederationClient;
}

export interface HomeserversDependencies {
  readonly outbound: OutboundClient;
  readonly resolver: NameResolver;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  /** False: any certificate of a homeserver will do. */
  readonly verifyCertificates: boolean;
}

export function createHomeservers(deps: HomeserversDependencies): Homeservers {
  const findDelegate = createWellKnown(deps);
  const discover = createDiscovery({ ...deps, findDelegate });
  const federation = createFederationClient({ ...deps, discover });
  return { federation };
}
