import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { exposedCertificate } from '../config/exposed-files.ts';
import type { ReplicationListenerConfig } from '../config/sections/replication-listener.ts';
import type { ServerKeys } from '../identity/server-keys.ts';
import type { Clock } from '../platform/clock.ts';
import type { Leases } from '../platform/leases.ts';
import type { OutboundClient } from '../platform/outbound/outbound.ts';
import type { Random } from '../platform/random.ts';
import type { ReplicationMetrics } from '../platform/replication-metrics.ts';
import type { Tracing } from '../platform/tracing/tracing.ts';
import type { Storage } from '../storage/stores/index.ts';
import { type Certificates, certificateWarnings, readCertificates } from './certificates.ts';
import { createPeerClient } from './peer-client.ts';
import { startPusher } from './pusher.ts';

export interface ReplicationDependencies {
  readonly storage: Storage;
  readonly keys: ServerKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly leases: Leases;
  readonly outbound: OutboundClient;
  readonly logger: Logger;
  readonly metrics: ReplicationMetrics;
  readonly tracing?: Tracing | undefined;
}

/** This server's part in replication, as far as it acts by itself. */
export interface Replication {
  readonly certificates: Certificates;
  /** An association was committed. */
  wake(): void;
  /** Reads the certificate files again. @throws ConfigError and goes on with those it has. */
  reload(): Certificates;
  stop(): Promise<void>;
}

/** Begins to push to the peers. @throws ConfigError for certificates that are none. */
export function startReplication(
  config: Config,
  listener: ReplicationListenerConfig,
  deps: ReplicationDependencies,
): Replication {
  const { keys, clock, logger } = deps;
  const read = () => {
    const certificates = readCertificates(listener, config.files.join(', '));
    for (const warning of certificateWarnings(certificates, keys.serverName, clock.now())) {
      logger.warn(warning);
    }
    return certificates;
  };
  const certificates = read();
  const client = createPeerClient(deps.outbound, certificates);
  const pusher = startPusher({
    ...deps,
    client,
    skipAfter: listener.skipRefusedAfter,
    configuredUrls: new Map(
      [...config.peers].flatMap(([name, { baseReplicationUrl: url }]) =>
        url ? [[name, url]] : [],
      ),
    ),
  });
  return {
    certificates,
    wake: pusher.wake,
    reload() {
      const renewed = read();
      for (const warning of exposedCertificate(listener.certFile)) logger.warn(warning);
      client.reload(renewed);
      return renewed;
    },
    stop: () => pusher.stop(),
  };
}
