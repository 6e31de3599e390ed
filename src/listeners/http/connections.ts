import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';

/** How long connections may take, in milliseconds. */
export interface ConnectionTimes {
  /** From the first byte of a request, or from the connection where none comes, to its last one. */
  readonly request: number;
  /** To the end of the TLS handshake. */
  readonly handshake: number;
  /** Between two requests. */
  readonly keepAlive: number;
  /** Without a byte either way, whatever is waited for: longer than any answer takes. */
  readonly silence: number;
  /** How often is looked for requests that take too long. */
  readonly check: number;
  /** When the server stops: for requests that are not complete yet. */
  readonly stop: number;
}

const TIMES: ConnectionTimes = {
  request: 30_000,
  handshake: 10_000,
  // Longer than the 60 s that common proxies keep connections: they close first.
  keepAlive: 75_000,
  silence: 300_000,
  check: 1000,
  stop: 2000,
};

/** What the HTTP servers of Node and Fastify are to be told of these times, all together. */
export function connectionOptions(times: Partial<ConnectionTimes> = {}) {
  const { request, keepAlive, silence, check, handshake, stop } = { ...TIMES, ...times };
  return {
    /** For Node's server. It would itself refuse what has no Host header, with neither body nor CORS. */
    node: {
      requireHostHeader: false,
      headersTimeout: request,
      requestTimeout: request,
      keepAliveTimeout: keepAlive,
      connectionsCheckingInterval: check,
    },
    /** Fastify sets these again once it has made Node's server. */
    fastify: { requestTimeout: request, keepAliveTimeout: keepAlive, connectionTimeout: silence },
    silence,
    handshake,
    stop,
  };
}

/** The same of a connection and of the TLS on it. */
const keyOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;

/**
 * Watches a server that does not listen yet. The function it returns closes, now and from then on, the
 * connections that wait for nothing: Node waits for those over which no request has ever come, and for
 * heads and bodies without an end. What has begun to come gets `grace` milliseconds.
 */
export function watchConnections(server: Server, grace: number): () => void {
  const connections = new Map<string, { socket: Socket; requests: Set<IncomingMessage> }>();
  let isClosing = false;
  server.on('connection', (socket) => {
    if (isClosing) {
      socket.destroy();
      return;
    }
    const key = keyOf(socket);
    connections.set(key, { socket, requests: new Set() });
    socket.once('close', () => connections.delete(key));
  });
  server.on('request', (request, response) => {
    const requests = connections.get(keyOf(request.socket))?.requests;
    requests?.add(request);
    response.once('close', () => {
      requests?.delete(request);
      if (isClosing && requests?.size === 0) request.socket.destroySoon();
    });
  });
  const closeWhere = (isHopeless: (requests: readonly IncomingMessage[]) => boolean) => {
    for (const { socket, requests } of connections.values()) {
      if (isHopeless([...requests])) socket.destroy();
    }
  };
  return () => {
    isClosing = true;
    closeWhere((requests) => requests.length === 0);
    setTimeout(() => closeWhere((requests) => requests.some((r) => !r.complete)), grace).unref();
  };
}
