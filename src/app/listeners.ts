import type { Config } from '../config/config.ts';
import { type Listener, PORT_KEYS } from '../config/listener.ts';
import type { ReadValue } from '../config/reader.ts';
import { createAdmission } from '../identity/operators/admission.ts';
import { consoleFiles } from '../listeners/admin-api/console.ts';
import { letIn } from '../listeners/admin-api/let-in.ts';
import { adminApiRoutes } from '../listeners/admin-api/routes.ts';
import { clientApiRoutes } from '../listeners/client-api/routes.ts';
import { warningOfAddresses } from '../listeners/http/address-warnings.ts';
import { type ApiServerOptions, createApiServer } from '../listeners/http/api-server.ts';
import { clientReader } from '../listeners/http/client-address.ts';
import type { ConnectionTimes } from '../listeners/http/connections.ts';
import { seldom } from '../listeners/http/health.ts';
import { type Listening, listen } from '../listeners/http/listen.ts';
import type { ClientFields } from '../listeners/http/request-lines.ts';
import { internalApiRoutes } from '../listeners/internal-api/routes.ts';
import { createMetricsServer } from '../listeners/metrics/server.ts';
import { OPERATIONS } from '../operations/operations.ts';
import type { Closing } from './closing.ts';
import type { Infrastructure } from './infrastructure.ts';
import { operationContext } from './operating.ts';
import type { Services } from './services.ts';

/** Each may take a while, and holds up the others of its kind alone. */
const OPERATIONS_AT_ONCE = 8;

export interface ListenersOptions {
  /** What the log says of who asks. */
  readonly clientFields: ClientFields;
  /** How long connections may take, where not as usual. */
  readonly connectionTimes?: Partial<ConnectionTimes> | undefined;
  /** Whether the server is about to stop. */
  readonly isStopping: () => boolean;
  /** What was read of the configuration, where it is to be shown as it is in force. */
  readonly values?: readonly ReadValue[] | undefined;
  /** The metrics, in Prometheus' text format. */
  readonly metricsText: () => Promise<string>;
}

/** How this process listens, for all but peers. */
export interface Listeners {
  /** Listens for clients. */
  serveClients(): Promise<Listening>;
  /** Listens for internal tools, for operators, and for who reads the metrics, where that is configured. */
  serveOperators(): Promise<Record<'internal' | 'metrics' | 'admin', Listening | undefined>>;
}

/** @param closing stops listening again */
export function createListeners(
  config: Config,
  infrastructure: Infrastructure,
  services: Services,
  options: ListenersOptions,
  closing: Closing,
): Listeners {
  const { logger, metrics, clock, random, keys, storage, delivery, buckets } = infrastructure;
  const { tracing } = infrastructure;
  const { general, http, limits } = config;
  const { accounts, associations, homeservers } = services;
  const { clientFields, connectionTimes, isStopping, metricsText } = options;
  const common = { logger, metrics, connectionTimes, tracing };
  const health = { ping: storage.ping, isStopping };
  const clientOf = clientReader({ ...http, trustedNetworks: limits.trustedNetworks });

  async function serveMetrics(listener: Listener): Promise<Listening> {
    const server = createMetricsServer({ ...common, metricsText, health });
    closing.defer('the metrics listener', () => server.close());
    return listen(server, 'metrics', { ...listener, key: PORT_KEYS.metrics }, connectionTimes);
  }

  async function serve(
    listener: Listener,
    api: Pick<
      ApiServerOptions,
      'routes' | 'files' | 'webClients' | 'clientOf' | 'token' | 'letIn'
    > & {
      readonly name: 'client' | 'internal' | 'admin';
    },
  ): Promise<Listening> {
    const server = createApiServer({
      ...common,
      ...api,
      clientFields,
      authenticate: accounts.authenticate,
      queryTokens: http.queryAccessTokens,
      noteOldWay: services.oldWays.note,
    });
    closing.defer(`the ${api.name} listener`, () => server.close());
    return listen(server, api.name, { ...listener, key: PORT_KEYS[api.name] }, connectionTimes);
  }

  async function serveAdmin(listener: Listener): Promise<Listening> {
    const { oidc } = config.admin;
    const issuer = oidc && (await import('../openid/issuer.ts')).createIssuer(oidc, infrastructure);
    const admission = createAdmission({
      storage,
      clock,
      buckets,
      issuer,
      onExceeded: (limit) => metrics.limitExceeded(limit, true),
    });
    const own = {
      valuesInForce: options.values,
      storage,
      keys,
      clock,
      random,
      associations: async () => associations,
      // By what the server does in the background.
      seeRotationThrough: async () => {},
      parsePhoneNumber: infrastructure.phoneNumbers.parse,
    };
    const context = operationContext(config, own, { logger, metrics });
    const signsInAt = oidc?.consoleClientId && oidc.issuer;
    const files = await consoleFiles({ signsInAt }).catch((error: Error) => {
      logger.warn(
        { reason: error.message },
        'The console is not built: only the admin API is there',
      );
      return [];
    });
    return serve(listener, {
      name: 'admin',
      files,
      routes: adminApiRoutes(OPERATIONS, {
        context,
        atOnce: OPERATIONS_AT_ONCE,
        health: { ...health, ping: seldom(storage.ping, clock) },
      }),
      webClients: 'own',
      clientOf,
      letIn: letIn(admission),
    });
  }

  return {
    serveOperators: async () => ({
      admin: config.admin.listener && (await serveAdmin(config.admin.listener)),
      metrics: general.prometheus && (await serveMetrics(general.prometheus)),
      internal:
        http.internalApi &&
        (await serve(http.internalApi, {
          name: 'internal',
          routes: internalApiRoutes(associations, http.internalApi.token !== undefined),
          webClients: 'refused',
          clientOf,
          token: http.internalApi.token,
        })),
    }),
    serveClients: () =>
      serve(http.clientApi, {
        name: 'client',
        routes: clientApiRoutes(
          {
            ...services,
            keys,
            verifyRequest: homeservers.verifyRequest,
            renderPage: delivery.renderPage,
            renderOwnerPage: delivery.renderOwnerPage,
            readLogo: delivery.logo?.read,
            ...health,
          },
          { ...general, clientHttpBase: http.clientHttpBase, confirmFirst: http.pageAsksFirst },
        ),
        webClients: 'allowed',
        clientOf: warningOfAddresses(clientOf, logger, clock),
      }),
  };
}
