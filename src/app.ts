import type { Logger } from 'pino';
import type { Config, Listener } from './config/config.ts';
import { createDelivery } from './delivery/delivery.ts';
import { adoptSydentData } from './identity/adoption.ts';
import { createAssociations } from './identity/associations.ts';
import { createEmailValidation } from './identity/email-validation.ts';
import { createLookup } from './identity/lookup.ts';
import { createServerKeys } from './identity/server-keys.ts';
import { createValidation, type Validation } from './identity/validation.ts';
import { clientApiRoutes, ROOT } from './listeners/client-api/routes.ts';
import { createApiServer, listen, type Mount } from './listeners/frame/server.ts';
import { internalApiRoutes } from './listeners/internal-api/routes.ts';
import { startMetricsListener } from './listeners/metrics/server.ts';
import { type Clock, systemClock } from './platform/clock.ts';
import { createMetrics } from './platform/metrics.ts';
import { type Random, secureRandom } from './platform/random.ts';
import { createRateLimiter } from './platform/rate-limiter.ts';
import { repeat } from './platform/repeat.ts';
import { openStorage } from './storage/storage.ts';

/** A running server. */
export interface App {
  /** Where it really listens: port 0 in the configuration means any. */
  readonly addresses: {
    readonly client: Listener;
    readonly internal: Listener | undefined;
    readonly metrics: Listener | undefined;
  };
  /** Finishes the requests under way, then lets go of everything. */
  close(): Promise<void>;
}

export interface AppDependencies {
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
}

const CLEANUP_INTERVAL = 10 * 60 * 1000;

/** Builds the whole server from its configuration and starts it: the one place that sees every part. */
export async function startApp(config: Config, deps: AppDependencies): Promise<App> {
  const { logger, clock = systemClock, random = secureRandom } = deps;
  const { general, http } = config;
  const closing: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const step of closing.splice(0).reverse()) await step();
  };

  try {
    const metrics = createMetrics();
    const storage = await openStorage(config.db, {
      logger,
      clock,
      random,
      serverName: general.serverName,
      pidFile: general.pidFile,
    });
    closing.push(() => storage.close());

    const keys = createServerKeys(general.serverName, config.crypto);
    await adoptSydentData({ storage, keys, clock, logger });

    const delivery = createDelivery(config, { logger, clock, random, metrics });
    closing.push(() => delivery.close());
    for (const warning of await delivery.checkTemplates()) logger.warn(warning);

    const validation = createValidation({ storage, clock, random });
    const cleanup = repeat(CLEANUP_INTERVAL, () => deleteOldSessions(validation, logger));
    closing.push(() => cleanup.stop());
    const associations = createAssociations({ storage, keys, clock });
    const apiRoot = general.enableV1Access ? `${ROOT}/api/v1` : `${ROOT}/v2`;

    const serve = async (name: string, mounts: Mount[], listener: Listener) => {
      const server = createApiServer({ name, mounts, logger, metrics, ...http });
      closing.push(() => server.close());
      return listen(server, name, listener);
    };

    const metricsListener = general.prometheus
      ? await startMetricsListener(general.prometheus, metrics)
      : undefined;
    if (metricsListener) closing.push(() => metricsListener.close());
    const internal = http.internalApi
      ? await serve('internal', internalApiRoutes(associations), http.internalApi)
      : undefined;
    const client = await serve(
      'client',
      clientApiRoutes(
        {
          keys,
          validation,
          emailValidation: createEmailValidation({
            validation,
            sendVerification: delivery.sendVerification,
            submitUrl: `${http.clientHttpBase}${apiRoot}/validate/email/submitToken`,
            nextLinkSchemes: http.nextLinkSchemes,
          }),
          associations,
          lookup: createLookup({
            storage,
            keys,
            clock,
            addressLimit: general.addressLookupLimit,
          }),
          senderLimit: createRateLimiter(config.email.senderRateLimit, clock),
          ephemeralKeys: storage.stores.ephemeralKeys,
          renderResultPage: delivery.renderResultPage,
          ping: storage.ping,
        },
        general,
      ),
      http.clientApi,
    );
    return { addresses: { client, internal, metrics: metricsListener?.address }, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function deleteOldSessions(validation: Validation, logger: Logger): Promise<void> {
  try {
    const count = await validation.deleteOld();
    if (count > 0) logger.info({ count }, 'Deleted old validation sessions');
  } catch (error) {
    logger.error({ err: error }, 'Old validation sessions could not be deleted');
  }
}
