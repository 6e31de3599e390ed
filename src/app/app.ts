import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { Listener } from '../config/listener.ts';
import { loadTerms } from '../config/terms.ts';
import { createDelivery } from '../delivery/delivery.ts';
import { canSendSms } from '../delivery/sms/sms.ts';
import { gaveNoSign } from '../homeservers/failures.ts';
import { createHomeservers } from '../homeservers/homeservers.ts';
import { createNoticeDelivery } from '../homeservers/onbind/delivery.ts';
import { type DispatcherTimings, startDispatcher } from '../homeservers/onbind/dispatcher.ts';
import type { HomeserverTimings } from '../homeservers/timings.ts';
import { createAccounts } from '../identity/accounts/accounts.ts';
import { createTerms } from '../identity/accounts/terms.ts';
import { adoptSydentData } from '../identity/adoption/adopt.ts';
import { dateTokens } from '../identity/adoption/tokens.ts';
import { createAssociations } from '../identity/associations/associations.ts';
import { createNotices } from '../identity/invitations/onbind-notices.ts';
import { createAsking } from '../identity/limits/asking.ts';
import { createHomeserverAccounts } from '../identity/limits/homeserver-accounts.ts';
import { describeReporting } from '../identity/limits/limit-log.ts';
import { createLimits } from '../identity/limits/limits.ts';
import { createNetworkNames } from '../identity/network-names.ts';
import { createServerKeys } from '../identity/server-keys.ts';
import { createValidation } from '../identity/validation/validation.ts';
import { type ApiServerOptions, createApiServer } from '../listeners/http/api-server.ts';
import { clientReader } from '../listeners/http/client-address.ts';
import type { ConnectionTimes } from '../listeners/http/connections.ts';
import { listen } from '../listeners/http/listen.ts';
import { warningOfOddities } from '../listeners/http/oddities.ts';
import { clientFields } from '../listeners/http/request-lines.ts';
import { internalApiRoutes } from '../listeners/internal-api/routes.ts';
import { createMetricsServer } from '../listeners/metrics/server.ts';
import { type Clock, systemClock } from '../platform/clock.ts';
import { createLeases } from '../platform/leases.ts';
import { createMetrics } from '../platform/metrics.ts';
import { createOutboundClient, type OutboundLimits } from '../platform/outbound/outbound.ts';
import { createNameResolver } from '../platform/outbound/resolver.ts';
import { createPhoneNumbers } from '../platform/phone-numbers.ts';
import { createProgress } from '../platform/progress.ts';
import { type Random, secureRandom } from '../platform/random.ts';
import { repeat } from '../platform/repeat.ts';
import { pruneLog } from '../replication/pruning.ts';
import { openStorage } from '../storage/open.ts';
import { buildClientApi } from './client-api.ts';
import { serveReplication } from './replication.ts';

/** A running server. */
export interface App {
  /** Where it really listens: port 0 in the configuration means any. */
  readonly addresses: {
    readonly client: Listener;
    readonly internal: Listener | undefined;
    readonly metrics: Listener | undefined;
    readonly replication: Listener | undefined;
  };
  /** Reads again what stands in files of its own; what is wrong with one is logged, and the old stays. */
  reload(): Promise<void>;
  /** Finishes the requests under way, then lets go of everything. */
  close(): Promise<void>;
}

export interface AppDependencies {
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Aborted when the server is to stop: a start that takes long ends with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Where to say how far a long start is, beside the log. */
  readonly terminal?: ((line: string) => void) | undefined;
  /** PEM; in place of the authorities that the system trusts, for outbound requests. */
  readonly trustedCa?: string | undefined;
  /** How homeservers are told of bindings, where it is not to be at the usual pace. */
  readonly noticeTimings?: Partial<DispatcherTimings> | undefined;
  /** What homeservers and other servers may take, where it is not to be the usual. */
  readonly homeserverTimings?: Partial<HomeserverTimings> | undefined;
  readonly outboundLimits?: OutboundLimits | undefined;
  /** How long connections may take, where not as usual. */
  readonly connectionTimes?: Partial<ConnectionTimes> | undefined;
  /** Milliseconds that a request waits for its turn to make this server ask a homeserver. */
  readonly askingPatience?: number | undefined;
}

const CLEANUP_INTERVAL = 10 * 60 * 1000;
const PRUNING_INTERVAL = 60 * 60 * 1000;
const RENEWAL_INTERVAL = 60 * 60 * 1000;
const COUNTING_INTERVAL = 6 * 60 * 60 * 1000;

/** Builds the whole server from its configuration and starts it: the one place that sees every part. */
export async function startApp(config: Config, deps: AppDependencies): Promise<App> {
  const { logger, clock = systemClock, random = secureRandom, connectionTimes } = deps;
  const { general, http, access } = config;
  const closing = new AsyncDisposableStack();
  const reloading: { what: string; step: () => Promise<void> }[] = [];
  const reload = async () => {
    for (const { what, step } of reloading) await inBackground(logger, what, step);
  };

  try {
    let termsPolicy = await loadTerms(general.termsPath);
    const loadTermsAgain = async () => {
      termsPolicy = await loadTerms(general.termsPath);
    };
    reloading.push({ what: 'Reading the terms again', step: loadTermsAgain });
    const metrics = createMetrics();
    const progress = createProgress({ ...deps, clock });
    const leases = createLeases({ clock, random });
    const storage = await openStorage(config.db, {
      ...{ logger, clock, random, progress },
      serverName: general.serverName,
      pidFile: general.pidFile,
    });
    closing.defer(() => storage.close());

    const keys = createServerKeys(general.serverName, config.crypto);
    await adoptSydentData({ storage, keys, clock, logger, progress });

    const resolver = createNameResolver({ servers: general.dnsServers, clock });
    closing.defer(async () => resolver.close());
    const outbound = createOutboundClient({
      blacklist: general.ipBlacklist,
      whitelist: general.ipWhitelist,
      ...{ resolver, clock, metrics, logger },
      trustedCa: deps.trustedCa,
      limits: deps.outboundLimits,
    });
    closing.defer(() => outbound.close());

    const delivery = createDelivery(config, { logger, clock, random, metrics, outbound });
    closing.defer(() => delivery.close());
    for (const warning of await delivery.checkTemplates()) logger.warn(warning);

    const phoneNumbers = createPhoneNumbers();
    // Now, and not while somebody waits.
    if (canSendSms(config.sms)) await phoneNumbers.load();
    const limits = createLimits({
      ...{ settings: config.limits.settings, clock, logger },
      onExceeded: metrics.limitExceeded,
    });
    const reporting = describeReporting(config.limits.settings);
    if (reporting !== undefined) logger.info(reporting);
    const homeservers = createHomeservers(config, {
      ...{ outbound, resolver, clock, random, metrics, logger },
      asking: createAsking({
        ...{ limits, isFailure: gaveNoSign },
        patience: deps.askingPatience,
      }),
      timings: deps.homeserverTimings,
    });

    const validation = createValidation({ storage, clock, random, leases });
    await validation.recover();
    const terms = createTerms({ storage, current: () => termsPolicy });
    const { tokenLifetime } = access;
    const accounts = createAccounts({ storage, clock, random, terms, tokenLifetime });
    const adoption = inBackground(logger, 'Dating access tokens', () =>
      dateTokens({ storage, clock }),
    );
    closing.defer(() => adoption);
    const pruning = repeat(PRUNING_INTERVAL, () => pruneLog(storage, clock, logger));
    closing.defer(() => pruning.stop());
    const names = createNetworkNames({ storage, clock, random });
    await names.renew();
    const renewal = repeat(RENEWAL_INTERVAL, () =>
      inBackground(logger, 'Renewing the keys of the log', names.renew),
    );
    closing.defer(() => renewal.stop());
    const logged = clientFields(names.of, general.log.clientAddress);
    const { expiry, keyGrace } = config.email.invites;
    const outbox = { storage, clock, random, leases, logger, metrics: metrics.outbox };
    const notices = createNotices({ ...outbox, keys, expiry, added: () => dispatcher.wake() });
    const { noticeLifetime, refusedNoticeLifetime } = general;
    const dispatcher = startDispatcher({
      ...{ ...outbox, noticeLifetime, refusedNoticeLifetime },
      deliver: createNoticeDelivery({
        ...{ ...outbox, keys, sign: notices.sign },
        send: homeservers.sendNotice,
        rules: { keepDelivered: !general.deleteTokensOnBind, keyGrace },
      }),
      timings: deps.noticeTimings ?? {},
    });
    closing.defer(() => dispatcher.stop());
    const replication = http.replication
      ? await serveReplication(config, http.replication, {
          ...{ storage, keys, clock, random, leases, outbound, logger, metrics, connectionTimes },
          clientFields: logged,
          ...{ bound: notices.enqueueInvitations, unbound: notices.takeBack },
        })
      : undefined;
    if (replication) {
      closing.defer(() => replication.close());
      reloading.push({ what: 'Reading the certificates again', step: replication.reload });
    }
    const associations = createAssociations({
      ...{ storage, keys, clock, notices, limits },
      logged: () => replication?.wake(),
    });
    const homeserverAccounts = createHomeserverAccounts({ storage, clock, random });
    const counting = repeat(COUNTING_INTERVAL, () =>
      inBackground(logger, 'Counting accounts', homeserverAccounts.count),
    );
    closing.defer(() => {
      homeserverAccounts.stop();
      return counting.stop();
    });
    const clientApi = buildClientApi(config, {
      ...{ storage, keys, clock, random, metrics, delivery, homeservers, phoneNumbers },
      ...{ logger, validation, terms, accounts, associations, limits, homeserverAccounts },
    });
    const cleanup = repeat(CLEANUP_INTERVAL, () =>
      inBackground(logger, 'Deleting what is old', async () => {
        const sessions = await validation.deleteOld();
        const tokens = await accounts.deleteUnused();
        const invites = await clientApi.invitations.deleteOld();
        const deleted = sessions + tokens + invites;
        if (deleted > 0) logger.info({ sessions, tokens, invites }, 'Deleted what was old');
      }),
    );
    closing.defer(() => cleanup.stop());

    const { trustedNetworks } = config.limits;
    const clientOf = clientReader({ ...http, trustedNetworks });
    const serveMetrics = async (listener: Listener) => {
      const server = createMetricsServer({ metrics, logger, connectionTimes });
      closing.defer(() => server.close());
      return listen(server, 'metrics', listener, connectionTimes);
    };
    const serve = async (
      name: string,
      listener: Listener,
      api: Pick<ApiServerOptions, 'mounts' | 'webClients' | 'clientOf' | 'token'>,
    ) => {
      const server = createApiServer({
        ...{ name, logger, metrics, connectionTimes, ...api },
        clientFields: logged,
        authenticate: accounts.authenticate,
        queryTokens: http.queryAccessTokens,
      });
      closing.defer(() => server.close());
      return listen(server, name, listener, connectionTimes);
    };

    const metricsAddress = general.prometheus && (await serveMetrics(general.prometheus));
    const internal = http.internalApi
      ? await serve('internal', http.internalApi, {
          mounts: internalApiRoutes(associations, http.internalApi.token !== undefined),
          webClients: 'refused',
          clientOf,
          token: http.internalApi.token,
        })
      : undefined;
    const client = await serve('client', http.clientApi, {
      mounts: clientApi.mounts,
      webClients: 'allowed',
      clientOf: warningOfOddities(clientOf, logger, clock),
    });
    return {
      addresses: {
        client,
        internal,
        metrics: metricsAddress,
        replication: replication?.address,
      },
      reload,
      close: () => closing.disposeAsync(),
    };
  } catch (error) {
    await inBackground(logger, 'Closing what had been opened', () => closing.disposeAsync());
    throw error;
  }
}

/** Does what nobody waits for: a failure is logged. */
async function inBackground(logger: Logger, what: string, work: () => Promise<void>) {
  try {
    await work();
  } catch (error) {
    logger.error({ err: error }, `${what} failed`);
  }
}
