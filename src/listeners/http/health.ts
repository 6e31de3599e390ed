import type { FastifyInstance } from 'fastify';
import { send } from './answers.ts';
import { endpoint, JsonAnswer } from './endpoint.ts';
import { anObject, aString } from './schema.ts';
import { refuseOtherMethods } from './server.ts';

/** What there is to ask about the server's health. */
export interface HealthDependencies {
  /** Uses the database, as far as a small write; rejects while it is away or takes no writes. */
  readonly ping: () => Promise<void>;
  /** Whether the server is about to stop. */
  readonly isStopping: () => boolean;
}

type Unready = { readonly reason: 'stopping' | 'database'; readonly message: string };

async function unready({ ping, isStopping }: HealthDependencies): Promise<Unready | undefined> {
  if (isStopping()) return { reason: 'stopping', message: 'The server is about to stop' };
  try {
    await ping();
    return undefined;
  } catch (error) {
    return { reason: 'database', message: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * `GET /health` and `GET /ready` for clients' load balancers, which say the same: 200 while the server can answer, which
 * takes its database, and is not about to stop.
 */
export const healthEndpoints = (dependencies: HealthDependencies) =>
  (['/health', '/ready'] as const).map((path) =>
    endpoint({
      method: 'GET',
      path,
      servlet: 'HealthServlet',
      summary: 'Whether the server can answer',
      answer: anObject({ status: aString }),
      fields: {},
      async handle() {
        const why = await unready(dependencies);
        if (why === undefined) return { status: 'ok' };
        return new JsonAnswer(503, { status: 'unavailable', reason: why.reason });
      },
    }),
  );

/**
 * The same on a listener for operators: `GET /health` answers as long as the process is alive, `GET /ready` says in words
 * why it is not ready.
 */
export function serveHealth(app: FastifyInstance, dependencies: HealthDependencies): void {
  const method = ['GET' as const, 'HEAD' as const];
  app.route({
    method,
    url: '/health',
    handler: async (_request, reply) => send(reply, { status: 'ok' }),
  });
  app.route({
    method,
    url: '/ready',
    async handler(_request, reply) {
      const why = await unready(dependencies);
      if (why === undefined) return send(reply, { status: 'ok' });
      return send(reply, new JsonAnswer(503, { status: 'unavailable', ...why }));
    },
  });
  for (const url of ['/health', '/ready']) refuseOtherMethods(app, url, { taken: new Set(method) });
}
