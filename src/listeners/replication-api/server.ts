import type { Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Metrics } from '../../platform/metrics.ts';
import { runIn } from '../../platform/tracing/scope.ts';
import type { Tracing } from '../../platform/tracing/tracing.ts';
import { type Certificates, tlsOptions } from '../../replication/certificates.ts';
import { type FindPeers, type Peer, PUSH_PATH } from '../../replication/peers.ts';
import type { Receiver } from '../../replication/receiver.ts';
import { send } from '../http/answers.ts';
import type { ConnectionTimes } from '../http/connections.ts';
import { ApiError } from '../http/errors.ts';
import { requireHost } from '../http/host.ts';
import { type ClientFields, requestNoter } from '../http/request-lines.ts';
import { scopeOf } from '../http/request-scope.ts';
import { createHttpServer, refuseOtherMethods } from '../http/server.ts';
import { identifyCaller } from './caller.ts';
import { push, replicationPush, requireJson } from './push.ts';

/** Twice what Sydent takes; more would keep the event loop too long with parsing. */
const BODY_LIMIT = 1024 * 1024;
/** Pushes that are worked on or wait their turn. */
const MAX_PUSHES = 32;

export interface ReplicationServerOptions {
  readonly certificates: Certificates;
  readonly receiver: Receiver;
  readonly findPeers: FindPeers;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** What the log says of who calls. */
  readonly clientFields: ClientFields;
  /** Has each request traced. */
  readonly tracing?: Tracing | undefined;
  /** Where they are not to be the usual ones. */
  readonly connectionTimes?: Partial<ConnectionTimes> | undefined;
}

export interface ReplicationServer {
  readonly app: FastifyInstance;
  /** Uses these from the next connection on. */
  reload(certificates: Certificates): void;
}

/** The HTTPS server for peers, who show who they are by certificates. Not listening yet. */
export function createReplicationServer(options: ReplicationServerOptions): ReplicationServer {
  const { certificates, receiver, findPeers, logger, metrics, clientFields } = options;
  const callers = new WeakMap<object, Peer>();
  const addresses = new WeakMap<object, string | undefined>();
  const note = requestNoter('replication', metrics, logger);
  let pushes = 0;

  const app = createHttpServer({
    logger,
    clientFields,
    bodyLimit: BODY_LIMIT,
    tls: tlsOptions(certificates),
    connectionTimes: options.connectionTimes,
    tracing: options.tracing,
    note: (request, reply) => {
      const address = addresses.get(request) ?? request.raw.socket.remoteAddress;
      note(request, reply, { peer: callers.get(request)?.name, ...clientFields(address) });
    },
  });
  const server = app.server as unknown as Server;
  // Nobody else gets as far as to send a body.
  app.addHook('onRequest', async (request) => {
    addresses.set(request, request.raw.socket.remoteAddress);
    requireHost(request.raw);
    const caller = runIn(scopeOf(request), () =>
      identifyCaller(request.raw.socket as TLSSocket, findPeers),
    );
    callers.set(request, await caller);
  });
  // Before the body is read, as what is not a media type at all does not get further.
  const onRequest = async (request: FastifyRequest) => requireJson(request.headers['content-type']);
  const config = { servlet: replicationPush.servlet };
  app.post(PUSH_PATH, { onRequest, config }, async (request, reply) => {
    const peer = callers.get(request);
    if (peer === undefined) throw new Error('A push by nobody');
    if (pushes >= MAX_PUSHES) {
      throw new ApiError(429, 'M_LIMIT_EXCEEDED', 'Too many pushes at once', {
        details: { retry_after_ms: 1000 },
        headers: { 'retry-after': '1' },
      });
    }
    pushes++;
    try {
      return await send(reply, await push(peer, request.body as Buffer | undefined, receiver));
    } finally {
      pushes--;
    }
  });
  refuseOtherMethods(app, PUSH_PATH, { taken: new Set(['POST']), config });

  return {
    app,
    reload(renewed) {
      server.setSecureContext(tlsOptions(renewed));
      // Whom the old authority vouched for must show itself anew.
      server.closeIdleConnections();
    },
  };
}
