import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import type { Metrics } from '../../platform/metrics.ts';
import type { Tracing } from '../../platform/tracing/tracing.ts';
import type { ConnectionTimes } from '../http/connections.ts';
import { type HealthDependencies, serveHealth } from '../http/health.ts';
import { requireHost } from '../http/host.ts';
import { createHttpServer, refuseOtherMethods } from '../http/server.ts';

const PATH = '/metrics';

/** Serves `GET /metrics` to Prometheus, and `GET /health` and `GET /ready` to supervisors. Not listening yet. */
export function createMetricsServer(options: {
  readonly health: HealthDependencies;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly tracing?: Tracing | undefined;
  readonly connectionTimes?: Partial<ConnectionTimes> | undefined;
  /** What it serves, in Prometheus' text format. */
  readonly metricsText: () => Promise<string>;
}): FastifyInstance {
  const { metricsText } = options;
  const app = createHttpServer(options);
  app.addHook('onRequest', async (request) => requireHost(request.raw));
  app.route({
    method: ['GET', 'HEAD'],
    url: PATH,
    handler: async (_request, reply) =>
      reply.header('content-type', Registry.PROMETHEUS_CONTENT_TYPE).send(await metricsText()),
  });
  serveHealth(app, options.health);
  refuseOtherMethods(app, PATH, { taken: new Set(['GET', 'HEAD']) });
  return app;
}
