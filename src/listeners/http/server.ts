import type { SecureContextOptions } from 'node:tls';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyContextConfig,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type HTTPMethods,
  LogController,
} from 'fastify';
import type { Logger } from 'pino';
import { requestId } from '../../platform/random.ts';
import type { Tracing } from '../../platform/tracing/tracing.ts';
import { sendError } from './answers.ts';
import { type ConnectionTimes, connectionOptions } from './connections.ts';
import { type AnswerContext, ApiError } from './errors.ts';
import { refuseConnection, refuseOddRequests } from './malformed-requests.ts';
import type { ClientFields } from './request-lines.ts';
import { followRequests } from './request-scope.ts';

/** Bytes of a body, where nothing else is said. */
export const BODY_LIMIT = 512 * 1024;
/** More than a path can have: Node takes 16 KiB of headers. */
const MAX_PARAMETER_LENGTH = 16 * 1024;

const noSchemas = () => {
  throw new Error(
    'Endpoints read their arguments by their fields, not by schemas of the framework',
  );
};
/** Without these, Fastify loads its schema compilers at start: time and memory for nothing. */
const WITHOUT_SCHEMAS = {
  compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas },
};

declare module 'fastify' {
  interface FastifyContextConfig {
    servlet?: string;
    answers?: AnswerContext;
    /** Whether it is for everybody who reaches the listener, where that lets in some only. */
    isOpen?: boolean;
  }
}

export interface HttpServerOptions {
  readonly logger: Logger;
  /** On every answer. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes, where not as usual. */
  readonly bodyLimit?: number;
  /** With it the server speaks HTTPS, to clients whose certificates it trusts. */
  readonly tls?: SecureContextOptions;
  /** What the log says of who sends what is not a request; undefined: nothing is logged of that. */
  readonly clientFields?: ClientFields;
  /** Told of each request that was answered. */
  readonly note?: (request: FastifyRequest, reply: FastifyReply) => void;
  /** Has each request traced. */
  readonly tracing?: Tracing | undefined;
  /** Where they are not to be the usual ones. */
  readonly connectionTimes?: Partial<ConnectionTimes> | undefined;
}

/**
 * An HTTP server as all listeners are: errors in Matrix's JSON, times and sizes limited, bodies as bytes. It has no
 * routes yet, and does not listen.
 */
export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const { logger, headers = {}, bodyLimit = BODY_LIMIT, tls, clientFields } = options;
  const { note = () => {}, connectionTimes, tracing } = options;
  const { node, fastify, handshake } = connectionOptions(connectionTimes);
  const secure = { requestCert: true, rejectUnauthorized: true, handshakeTimeout: handshake };
  const app = Fastify({
    ...(tls ? { https: { ...node, ...tls, ...secure } } : { http: node }),
    ...fastify,
    loggerInstance: logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestId,
    bodyLimit,
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    schemaController: WITHOUT_SCHEMAS,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: MAX_PARAMETER_LENGTH },
    // Without hooks.
    frameworkErrors: (error, request, reply) => {
      sendError((reply as unknown as FastifyReply).headers(headers), error);
      note(request as unknown as FastifyRequest, reply as unknown as FastifyReply);
    },
    clientErrorHandler: refuseConnection(headers, (address, refusal) => {
      if (clientFields === undefined) return;
      logger.info({ ...refusal, ...clientFields(address) }, 'Refused what is not a request');
    }),
  }) as unknown as FastifyInstance;
  refuseOddRequests(app.server, headers);
  if (tls) {
    app.server.on('tlsClientError', (error, socket) =>
      logger.info(
        { reason: error.message, ...clientFields?.(socket.remoteAddress) },
        'Refused a connection',
      ),
    );
  }
  app.removeAllContentTypeParsers();
  // By its name, too, the type that API servers give to all: what only `*` is for is looked for anew each time.
  app.addContentTypeParser(
    ['application/octet-stream', '*'],
    { parseAs: 'buffer' },
    (_request, body, done) => done(null, body),
  );
  // A logger for each request would cost as much as its line: lines name the request themselves.
  app.setChildLoggerFactory((parent) => parent);
  followRequests(app, tracing);
  app.addHook('onResponse', (request, reply, done) => {
    note(request, reply);
    done();
  });
  app.setErrorHandler((error, request, reply) =>
    sendError(reply, error, request.routeOptions.config.answers),
  );
  app.setNotFoundHandler((_request, reply) =>
    sendError(reply, new ApiError(404, 'M_UNRECOGNIZED', 'There is nothing at this path')),
  );
  return app;
}

/** Answers 405 where a path is asked for by another method than these. */
export function refuseOtherMethods(
  app: FastifyInstance,
  url: string,
  options: {
    readonly taken: ReadonlySet<HTTPMethods>;
    /** Those that the answer names, where they are not the same. */
    readonly named?: ReadonlySet<HTTPMethods>;
    readonly config?: FastifyContextConfig;
  },
): void {
  const { taken, named = taken, config = {} } = options;
  app.route({
    config,
    method: app.supportedMethods.filter((method) => !taken.has(method)),
    url,
    handler: () => {
      throw new ApiError(405, 'M_UNRECOGNIZED', 'This path does not take this method', {
        headers: { allow: [...named].join(', ') },
      });
    },
  });
}
