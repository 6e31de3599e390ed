import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { PORT_KEYS } from '../config/listener.ts';
import type { ReplicationListenerConfig } from '../config/sections/replication-listener.ts';
import type { ServerKeys } from '../identity/server-keys.ts';
import type { ConnectionTimes } from '../listeners/http/connections.ts';
import { type Listening, listen } from '../listeners/http/listen.ts';
import type { ClientFields } from '../listeners/http/request-lines.ts';
import { createReplicationServer } from '../listeners/replication-api/server.ts';
import type { Clock } from '../platform/clock.ts';
import type { Leases } from '../platform/leases.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { OutboundClient } from '../platform/outbound/outbound.ts';
import type { Random } from '../platform/random.ts';
import type { Tracing } from '../platform/tracing/tracing.ts';
import { createFindPeers } from '../replication/peers.ts';
import { createReceiver, type ReceiverDependencies } from '../replication/receiver.ts';
import { startReplication } from '../replication/replication.ts';
import type { Storage } from '../storage/stores/index.ts';

export interface ReplicationParts {
  readonly storage: Storage;
  readonly keys: ServerKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly leases: Leases;
  readonly outbound: OutboundClient;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tracing: Tracing | undefined;
  readonly bound?: NonNullable<ReceiverDependencies['bound']>;
  readonly unbound?: NonNullable<ReceiverDependencies['unbound']>;
  readonly clientFields: ClientFields;
  readonly connectionTimes?: Partial<ConnectionTimes> | undefined;
}

/** This server as one of several that replicate one another. */
export interface RunningReplication {
  /** Where peers are listened to. */
  readonly listening: Listening;
  /** An association was committed. */
  wake(): void;
  /** Reads the certificate files again. Rejects with ConfigError, and goes on with those it has. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

/** Builds and starts what replication needs: the part of startApp for servers that have a certificate. */
export async function serveReplication(
  config: Config,
  listener: ReplicationListenerConfig,
  deps: ReplicationParts,
): Promise<RunningReplication> {
  const { storage, keys, clock, random, leases, outbound, logger, metrics, tracing } = deps;
  const { bound = async () => {}, unbound = async () => {}, clientFields, connectionTimes } = deps;
  const replication = startReplication(config, listener, {
    storage,
    keys,
    clock,
    random,
    leases,
    outbound,
    logger,
    tracing,
    metrics: metrics.replication,
  });
  try {
    const server = createReplicationServer({
      certificates: replication.certificates,
      receiver: createReceiver({
        storage,
        clock,
        logger,
        bound,
        unbound,
        metrics: metrics.replication,
      }),
      findPeers: createFindPeers(storage.stores.peers),
      logger,
      metrics,
      tracing,
      clientFields,
      connectionTimes,
    });
    const at = { ...listener, key: PORT_KEYS.replication };
    const listening = await listen(server.app, 'replication', at, connectionTimes);
    return {
      listening,
      wake: replication.wake,
      async reload() {
        server.reload(replication.reload());
        logger.info('Read the certificates again');
      },
      async close() {
        await listening.stop();
        await replication.stop();
      },
    };
  } catch (error) {
    await replication.stop();
    throw error;
  }
}
