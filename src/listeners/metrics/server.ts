import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Listener } from '../../config/config.ts';
import type { Metrics } from '../../platform/metrics.ts';

export interface MetricsListener {
  /** Where it really listens. */
  readonly address: Listener;
  close(): Promise<void>;
}

const READ_TIMEOUT = 10_000;

function refuse(response: ServerResponse, status: number, error: string): void {
  response
    .writeHead(status, { 'content-type': 'application/json' })
    .end(JSON.stringify({ errcode: 'M_UNRECOGNIZED', error }));
}

/** Serves `GET /metrics` to Prometheus. */
export async function startMetricsListener(
  listener: Listener,
  { registry }: Metrics,
): Promise<MetricsListener> {
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url?.split('?', 1)[0];
    if (path !== '/metrics' && path !== '/metrics/') {
      return refuse(response, 404, 'There is nothing at this path');
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return refuse(response, 405, 'This path does not take this method');
    }
    const text = await registry.metrics();
    response.writeHead(200, { 'content-type': registry.contentType }).end(text);
  };
  const server = createServer({ requestTimeout: READ_TIMEOUT }, (request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  server.listen(listener.port, listener.address);
  await once(server, 'listening');
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
