import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { runIn, type Scope } from '../../platform/tracing/scope.ts';
import type { Span } from '../../platform/tracing/span.ts';
import type { Caused, Tracing } from '../../platform/tracing/tracing.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Undefined where nothing is traced. */
    span?: Span | undefined;
  }
}

/** A request as that of which all is part that is done for it. */
export const scopeOf = ({ id, span }: FastifyRequest): Scope => ({ id, span });

/** What a `traceparent` header says, by W3C's Trace Context. */
const TRACE_PARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;

/**
 * Of what a request says that it is part of this: anybody can say so, so it is only linked to, and decides nothing.
 */
function causeOf({ headers: { traceparent } }: FastifyRequest): Caused | undefined {
  if (typeof traceparent !== 'string') return undefined;
  const [, traceId = '', spanId = ''] = TRACE_PARENT.exec(traceparent) ?? [];
  return /[1-9a-f]/.test(traceId) && /[1-9a-f]/.test(spanId) ? { traceId, spanId } : undefined;
}

/** Has handlers run as part of their request, and each request be a trace of its own. */
export function followRequests(app: FastifyInstance, tracing: Tracing | undefined): void {
  app.addHook('onRoute', (route) => {
    const handle = route.handler as (request: FastifyRequest, reply: FastifyReply) => unknown;
    route.handler = (request, reply) => runIn(scopeOf(request), handle, request, reply);
  });
  if (tracing === undefined) return;
  app.decorateRequest('span', undefined);
  app.addHook('onRequest', (request, _reply, done) => {
    const { method, routeOptions } = request;
    // The pattern of the path, and never the path.
    const { url: route } = routeOptions;
    const about = {
      name: route === undefined ? method : `${method} ${route}`,
      kind: 'server',
      attributes: { 'http.request.method': method, ...(route && { 'http.route': route }) },
    } as const;
    request.span = tracing.begin(request.id, about, causeOf(request));
    done();
  });
  app.addHook('onResponse', ({ span }, { statusCode }, done) => {
    span?.tell({ 'http.response.status_code': statusCode });
    span?.end(statusCode >= 500 ? String(statusCode) : undefined);
    done();
  });
}
