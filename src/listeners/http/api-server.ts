import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import type { Logger } from 'pino';
import type { OldWay } from '../../identity/old-ways.ts';
import type { Operator } from '../../identity/operators/operator.ts';
import { isBrandName } from '../../model/brand.ts';
import type { Metrics } from '../../platform/metrics.ts';
import { runIn } from '../../platform/tracing/scope.ts';
import type { Tracing } from '../../platform/tracing/tracing.ts';
import { CORS, send } from './answers.ts';
import {
  type ArgumentStyle,
  isComplete,
  rawArguments,
  readArguments,
  refuseUnknown,
  textArguments,
} from './arguments.ts';
import { type Authenticate, requireToken, tokenReader } from './authentication.ts';
import type { Client, Origin } from './client-address.ts';
import type { ConnectionTimes } from './connections.ts';
import type { Endpoint, RequestContext, SignedRequest } from './endpoint.ts';
import type { Refusal } from './errors.ts';
import { type ServedFile, serveFiles } from './files.ts';
import { parseQuery } from './form.ts';
import { requireHost } from './host.ts';
import { parseJson } from './json.ts';
import { type ClientFields, requestNoter } from './request-lines.ts';
import { scopeOf } from './request-scope.ts';
import { BODY_LIMIT, createHttpServer, refuseOtherMethods } from './server.ts';
import { refuseWebPages, type WebClients } from './web-pages.ts';

/** Endpoints under a common root, with the argument form of its API version. */
export interface Routes {
  readonly root: string;
  readonly style: ArgumentStyle;
  readonly endpoints: readonly Endpoint[];
  /** Whether they are what clients of version 1 need, and nobody else. */
  readonly isOldWay?: boolean;
  /** In the API description, where it is not the version. */
  readonly tag?: string;
  /** Whether they are for everybody who reaches the listener, where that lets in some only. */
  readonly isOpen?: boolean;
  /** Whether the listener wants a token of its own, for the API description. */
  readonly wantsToken?: boolean;
  /** What the listener refuses by itself, for the API description. */
  readonly refusals?: readonly Refusal[];
}

export interface ApiServerOptions {
  /** For metrics and logs: `client`, `internal`. */
  readonly name: string;
  readonly routes: readonly Routes[];
  /** What it serves to everybody beside them. */
  readonly files?: readonly ServedFile[];
  readonly webClients: WebClients;
  /** Who sent a request. */
  readonly clientOf: (origin: Origin) => Client;
  /** What the log says of a client. */
  readonly clientFields: ClientFields;
  /** What every request has to show as its bearer token. */
  readonly token?: string | undefined;
  /**
   * Who sent a request, on a listener for operators: asked before anything of it is read, unless its endpoint is open.
   * What it throws is answered.
   */
  readonly letIn?: (authorization: string | undefined, client: Client) => Promise<Operator>;
  /** Needed where an endpoint needs an access token. */
  readonly authenticate?: Authenticate;
  /** Whether a GET may carry its access token in the query string. */
  readonly queryTokens?: boolean;
  /** Told of requests that need what can be switched off. */
  readonly noteOldWay?: (way: OldWay) => void;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Has each request traced. */
  readonly tracing?: Tracing | undefined;
  /** Where they are not to be the usual ones. */
  readonly connectionTimes?: Partial<ConnectionTimes> | undefined;
}

function queryOf(request: FastifyRequest): string {
  const url = request.raw.url ?? '';
  const mark = url.indexOf('?');
  return mark < 0 ? '' : url.slice(mark + 1);
}

/** The brand asked for, if it can be one. */
function brandOf(query: string): string | undefined {
  if (!query.includes('brand=')) return undefined;
  const brand = parseQuery(query).get('brand');
  return brand !== undefined && isBrandName(brand) ? brand : undefined;
}

/** The values of a header as they came; its name in lower case. */
function headerValues({ raw: { rawHeaders } }: FastifyRequest, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const given = rawHeaders[i] ?? '';
    if (given.length !== name.length || given.toLowerCase() !== name) continue;
    values.push(rawHeaders[i + 1] ?? '');
  }
  return values;
}

/** The parts are taken from the request when they are asked for: most endpoints need few. */
class Signed implements SignedRequest {
  readonly method: string;
  readonly uri: string;
  readonly #request: FastifyRequest;

  constructor(request: FastifyRequest) {
    this.method = request.method;
    this.uri = request.raw.url ?? '';
    this.#request = request;
  }

  get authorization(): string[] {
    return headerValues(this.#request, 'authorization');
  }

  content() {
    return parseJson(this.#request.body as Buffer | undefined);
  }
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who sent it; found out once, while its connection is there. */
    client: Client | undefined;
    /** Who was let in. */
    operator: Operator | undefined;
  }
}

type ClientOf = (request: FastifyRequest) => Client;

const rememberingClients =
  (of: ApiServerOptions['clientOf']): ClientOf =>
  (request) => {
    request.client ??= of({
      peer: request.raw.socket.remoteAddress,
      headers: request.raw.headers,
    });
    return request.client;
  };

/** Runs an endpoint: who asks, arguments in, one call, answer out. */
function handler(
  endpoint: Endpoint,
  version: ArgumentStyle,
  options: ApiServerOptions,
  clientOf: ClientOf,
  isOldWay: boolean,
) {
  const tokenOf = tokenReader(options.queryTokens ?? false);
  const needs = version === 'v2' ? endpoint.needs : undefined;
  const { authenticate } = options;
  if (needs !== undefined && authenticate === undefined) {
    throw new Error(`${endpoint.path} needs a token, and there is nothing to check it with`);
  }

  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const query = queryOf(request);
    const queryAlone =
      endpoint.queryIsEnough && isComplete(endpoint.fields, parseQuery(query)) ? query : undefined;
    const signed = new Signed(request);
    const protects = needs !== undefined && queryAlone === undefined;
    const found = protects ? tokenOf(signed, query) : undefined;
    const accessToken = found?.token;
    const user = protects ? await authenticate?.(accessToken, needs) : undefined;
    if (found?.inQuery) options.noteOldWay?.('query_token');
    if (isOldWay) options.noteOldWay?.('v1');
    const { address, network, networks } = clientOf(request);
    const context: RequestContext = {
      version,
      user,
      accessToken,
      operator: request.operator,
      clientAddress: address,
      caller: { version, user, address: network, networks },
      brand: brandOf(query),
      acceptLanguage: request.raw.headers['accept-language'],
      headers: request.raw.headers,
      pathParameters: request.params as Record<string, string>,
      signed,
    };
    if (endpoint.admit !== undefined) await endpoint.admit(context);
    try {
      const raw =
        queryAlone !== undefined || endpoint.takesNoBody
          ? parseQuery(query)
          : rawArguments(endpoint.argumentStyle ?? version, {
              method: request.method,
              contentType: headerValues(request, 'content-type')[0],
              query,
              body: request.body as Buffer | undefined,
            });
      if (endpoint.refusesUnknown) refuseUnknown(endpoint.fields, raw);
      const args = readArguments(endpoint.fields, raw);
      const answer = endpoint.handle(args, context, () => textArguments(raw));
      send(reply, answer instanceof Promise ? await answer : answer);
    } catch (error) {
      if (endpoint.onError === undefined) throw error;
      send(reply, await endpoint.onError(error, context));
    }
  };
}

function register(app: FastifyInstance, options: ApiServerOptions, clientOf: ClientOf): void {
  const methodsByUrl = new Map<string, Set<HTTPMethods>>();
  for (const { root, style, endpoints, isOldWay = false, isOpen = false } of options.routes) {
    for (const endpoint of endpoints) {
      const url = `${root}${endpoint.path}`;
      const methods = methodsByUrl.get(url) ?? new Set<HTTPMethods>();
      methodsByUrl.set(url, methods);
      const { servlet, statuses } = endpoint;
      const config = { servlet, isOpen, answers: { version: style, statuses } };
      const runs: HTTPMethods[] =
        endpoint.method === 'GET' && !endpoint.changesOnGet ? ['GET', 'HEAD'] : [endpoint.method];
      const { bodyLimit = BODY_LIMIT } = endpoint;
      const run = handler(endpoint, style, options, clientOf, isOldWay);
      app.route({ method: runs, url, config, bodyLimit, handler: run });
      for (const method of runs) methods.add(method);
      if (endpoint.changesOnGet) {
        app.route({ method: 'HEAD', url, config, handler: (_request, reply) => reply.send() });
        methods.add('HEAD');
      }
    }
  }
  for (const [url, methods] of methodsByUrl) {
    const named = options.webClients === 'allowed' ? new Set([...methods, 'OPTIONS']) : methods;
    refuseOtherMethods(app, url, { taken: methods, named });
  }
}

/** The HTTP server of an API: its common conventions around its endpoints. Not listening yet. */
export function createApiServer(options: ApiServerOptions): FastifyInstance {
  const { logger, metrics, name, token, letIn } = options;
  const forWeb = options.webClients === 'allowed';
  const headers = forWeb ? CORS : {};
  const clientOf = rememberingClients(options.clientOf);
  const count = requestNoter(name, metrics, logger);
  const app = createHttpServer({
    logger,
    headers,
    clientFields: options.clientFields,
    connectionTimes: options.connectionTimes,
    tracing: options.tracing,
    note(request, reply) {
      const { address, network } = clientOf(request);
      count(request, reply, options.clientFields(address, network));
    },
  });
  app.decorateRequest('client', undefined);
  app.decorateRequest('operator', undefined);
  const admit = (request: FastifyRequest) => {
    clientOf(request);
    requireHost(request.raw);
    if (!forWeb) refuseWebPages(request, options.webClients);
    if (token !== undefined) requireToken(request.headers.authorization, token);
    // Bodies are read by what their endpoints take; Fastify would refuse a type that is not one.
    request.raw.headers['content-type'] = 'application/octet-stream';
  };
  // By its callback, as a promise for each request would wait for nothing.
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(headers);
    try {
      admit(request);
    } catch (error) {
      return done(error as Error);
    }
    if (forWeb && request.method === 'OPTIONS') reply.code(200).send();
    else done();
  });
  if (letIn !== undefined) {
    app.addHook('onRequest', async (request) => {
      if (request.routeOptions.config?.isOpen) return;
      const client = clientOf(request);
      request.operator = await runIn(scopeOf(request), () =>
        letIn(request.headers.authorization, client),
      );
    });
  }
  register(app, options, clientOf);
  serveFiles(app, options.files ?? []);
  return app;
}
