import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Listener } from '../../config/config.ts';
import type { Metrics } from '../../platform/metrics.ts';
import { type ConnectionTimes, connectionOptions } from '../http/connections.ts';
import { ApiError, toApiError } from '../http/errors.ts';
import { requireHost } from '../http/host.ts';
import { cannotListen } from '../http/listen.ts';
import { refuseConnection, refuseOddRequests } from '../http/odd-requests.ts';

export interface MetricsListener {
  /** Where it really listens. */
  readonly address: Listener;
  close(): Promise<void>;
}

/** Serves `GET /metrics` to Prometheus. */
export async function startMetricsListener(
  listener: Listener,
  { registry }: Metrics,
  times?: Partial<ConnectionTimes>,
): Promise<MetricsListener> {
  const read = (request: IncomingMessage): Promise<string> => {
    requireHost(request);
    const path = request.url?.split('?', 1)[0];
    if (path !== '/metrics' && path !== '/metrics/') {
      throw new ApiError(404, 'M_UNRECOGNIZED', 'There is nothing at this path');
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw new ApiError(405, 'M_UNRECOGNIZED', 'This path does not take this method', {
        headers: { allow: 'GET, HEAD' },
      });
    }
    return registry.metrics();
  };
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    try {
      const text = await read(request);
      response.writeHead(200, { 'content-type': registry.contentType }).end(text);
    } catch (error) {
      const { status, headers, body } = toApiError(error, { version: 'v2' });
      const json = JSON.stringify(body);
      const about = {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(json),
      };
      response.writeHead(status, { ...headers, ...about }).end(json);
    }
  };
  const { node, silence } = connectionOptions(times);
  const server = createServer(node, answer);
  server.setTimeout(silence);
  server.on('clientError', refuseConnection());
  refuseOddRequests(server);
  server.listen(listener.port, listener.address);
  await once(server, 'listening').catch((error: unknown) => {
    throw cannotListen('metrics', error);
  });
  const bound = server.address();
  return {
    address: bound === null || typeof bound === 'string' ? listener : bound,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
