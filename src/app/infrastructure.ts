import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { createDelivery, type Delivery } from '../delivery/delivery.ts';
import { canSendSms } from '../delivery/sms/sms.ts';
import { createHistory, type History } from '../identity/history/history.ts';
import { createMessageTrail, type MessageTrail } from '../identity/messages/message-trail.ts';
import { createServerKeys, type RenewableServerKeys } from '../identity/server-keys.ts';
import { type Buckets, createBuckets } from '../platform/buckets.ts';
import { type Clock, systemClock } from '../platform/clock.ts';
import { createErrorReports } from '../platform/error-reports.ts';
import { createLeases, type Leases } from '../platform/leases.ts';
import type { ReportTo } from '../platform/logger.ts';
import { createMetrics, type Metrics } from '../platform/metrics.ts';
import {
  createOutboundClient,
  type OutboundClient,
  type OutboundLimits,
} from '../platform/outbound/outbound.ts';
import { createNameResolver, type NameResolver } from '../platform/outbound/resolver.ts';
import { createPhoneNumbers, type PhoneNumbers } from '../platform/phone-numbers.ts';
import { createPortions } from '../platform/portions.ts';
import { createProgress, type Progress } from '../platform/progress.ts';
import { type Random, secureRandom } from '../platform/random.ts';
import { openTracing, type Tracing } from '../platform/tracing/tracing.ts';
import { logFailure } from '../platform/unavailable.ts';
import { openStorage } from '../storage/open.ts';
import type { Storage } from '../storage/stores/index.ts';
import type { Among } from './among.ts';
import type { Closing } from './closing.ts';

/** What the services of the domain are given: time, randomness, a database, and ways out. */
export interface Infrastructure {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly progress: Progress;
  /** This process among those on the same database. */
  readonly leases: Leases;
  readonly storage: Storage;
  /** Of rate limits, shared with the others on the same database. */
  readonly buckets: Buckets;
  readonly keys: RenewableServerKeys;
  readonly resolver: NameResolver;
  readonly outbound: OutboundClient;
  /** Undefined where no traces are wanted. */
  readonly tracing: Tracing | undefined;
  readonly trail: MessageTrail;
  readonly history: History;
  readonly delivery: Delivery;
  readonly phoneNumbers: PhoneNumbers;
}

export interface InfrastructureOptions {
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Aborted when the server is to stop: a start that takes long ends with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** The other processes that serve the same clients, where it is not alone. */
  readonly among?: Among | undefined;
  /** Has errors of the log reported, where that is configured. */
  readonly reportTo?: ReportTo | undefined;
  /** Where to say how far a long start is, beside the log. */
  readonly terminal?: ((line: string) => void) | undefined;
  /** In place of the process's own, for the variables of OpenTelemetry. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** PEM; in place of the authorities that the system trusts, for outbound requests. */
  readonly trustedCa?: string | undefined;
  readonly outboundLimits?: OutboundLimits | undefined;
}

/**
 * Opens all that.
 * @param closing takes it down again
 */
export async function openInfrastructure(
  config: Config,
  options: InfrastructureOptions,
  closing: Closing,
): Promise<Infrastructure> {
  const { logger, clock = systemClock, random = secureRandom } = options;
  const { serverName, pidFile, dnsServers, ipBlacklist, ipWhitelist } = config.general;
  const metrics = createMetrics();
  const progress = createProgress({ ...options, clock });
  const { signal } = options;
  const given = { logger, clock, random, progress, signal, serverName, pidFile };
  const opening = { ...given, metrics: metrics.database, others: options.among };
  const storage = await openStorage(config.db, opening);
  closing.defer('the database', () => storage.close());
  const shared = storage.sharedBuckets ?? options.among?.buckets;
  const buckets = shared === undefined ? createBuckets(clock) : createPortions(shared, clock);
  closing.defer('portions of limits', () => buckets.stop());
  const resolver = createNameResolver({ servers: dnsServers, clock });
  closing.defer('looking up names', async () => resolver.close());
  const outbound = createOutboundClient({
    blacklist: ipBlacklist,
    whitelist: ipWhitelist,
    resolver,
    clock,
    metrics,
    logger,
    trustedCa: options.trustedCa,
    limits: options.outboundLimits,
  });
  closing.defer('outbound connections', () => outbound.close());
  const { env = process.env } = options;
  const tracing = await openTracing({ env, outbound, metrics, clock, random, logger });
  if (tracing !== undefined) closing.defer('traces', () => tracing.stop());
  const { sentry } = config.general;
  if (sentry !== undefined && options.reportTo !== undefined) {
    const reports = createErrorReports(sentry, { outbound, clock, random, logger, serverName });
    options.reportTo(reports);
    closing.defer('reports of errors', () => reports.settled());
  }
  const history = createHistory({ storage, clock, serverName, logger });
  closing.defer('the history', () =>
    history.write().catch((error: unknown) => logFailure(logger, error, 'The history failed')),
  );
  const trail = createMessageTrail({
    storage,
    clock,
    // What strangers can have written is bounded in each process for itself.
    buckets: createBuckets(clock),
    logger,
    kept: config.messages.kept,
    onNoted: history.noteEvent,
    onLeftOut: metrics.trailLeftOut,
  });
  closing.defer('the trail of messages', () => trail.stop());
  const delivery = createDelivery(config, { logger, clock, random, metrics, outbound, trail });
  closing.defer('mail and text messages', () => delivery.close());
  const phoneNumbers = createPhoneNumbers();
  // Now, and not while somebody waits.
  if (canSendSms(config.sms)) await phoneNumbers.load();
  const leases = createLeases({ clock, random });
  const keys = createServerKeys(serverName, config.crypto);
  const own = { logger, clock, random, metrics, progress, leases };
  const out = { resolver, outbound, tracing, trail, history, delivery };
  return { ...own, ...out, storage, buckets, keys, phoneNumbers };
}
