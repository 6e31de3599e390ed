import type { IncomingMessage, Server, ServerResponse } from 'node:http';
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
  stop: 1000,
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

/** The connections of a server. */
export interface WatchedConnections {
  /** From now on each answer is the last on its connection, and says so. */
  leave(): void;
  /**
   * Takes nothing more from now on: answers under way are the last on their connections, and say so; connections over
   * which nothing has come are closed, and those over which a request is still coming when the time for it is over.
   */
  stop(): void;
  /** Closes what is left, whatever is under way. */
  cut(): void;
}

interface Connection {
  readonly socket: Socket;
  readonly requests: Map<IncomingMessage, ServerResponse>;
}

/**
 * Watches a server that does not listen yet. Node itself waits for connections over which no request has ever come and
 * for heads and bodies without an end, and goes on answering over a connection that is never idle.
 * @param grace milliseconds that a request has to come in whole when the server stops
 */
export function watchConnections(server: Server, grace: number): WatchedConnections {
  const connections = new Map<string, Connection>();
  /** By what requests know their connection by: to name it for each would take longer than all else that is done here. */
  const ofSocket = new WeakMap<Socket, Connection>();
  let isLeaving = false;
  let isStopping = false;
  let isGraceOver = false;

  /** Whether what has come over it is answered, or will never be. */
  const isDone = ({ requests }: Connection) =>
    requests.size === 0 || (isGraceOver && [...requests.keys()].every((r) => !r.complete));
  const closeDone = () => {
    for (const connection of connections.values()) {
      if (isDone(connection)) connection.socket.destroy();
    }
  };

  server.on('connection', (socket) => {
    if (isStopping) {
      socket.destroy();
      return;
    }
    const key = keyOf(socket);
    connections.set(key, { socket, requests: new Map() });
    socket.once('close', () => connections.delete(key));
  });
  server.on('request', (request, response) => {
    const { socket } = request;
    const connection = ofSocket.get(socket) ?? connections.get(keyOf(socket));
    if (connection !== undefined) {
      ofSocket.set(socket, connection);
      connection.requests.set(request, response);
    }
    if (isLeaving) response.shouldKeepAlive = false;
    response.once('close', () => {
      connection?.requests.delete(request);
      if ((isStopping || isLeaving) && (connection === undefined || isDone(connection)))
        socket.destroySoon();
    });
  });

  /** Of each connection; makes Node say `connection: close`, and nothing where the head is out already. */
  function endWithAnswers(): void {
    for (const { requests } of connections.values()) {
      const last = [...requests.values()].at(-1);
      if (last !== undefined) last.shouldKeepAlive = false;
    }
  }

  return {
    leave() {
      isLeaving = true;
      endWithAnswers();
    },
    stop() {
      if (isStopping) return;
      isStopping = true;
      // What comes over a connection behind its last answer is not looked at; without an answer its sender can ask
      // again elsewhere.
      server.removeAllListeners('request').on('request', () => {});
      endWithAnswers();
      closeDone();
      setTimeout(() => {
        isGraceOver = true;
        closeDone();
      }, grace).unref();
    },
    cut() {
      for (const { socket } of connections.values()) socket.destroy();
    },
  };
}
