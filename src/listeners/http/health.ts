import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../platform/clock.ts';
import { send } from './answers.ts';
import { endpoint, JsonAnswer } from './endpoint.ts';
import { anObject, aString, aWordOf, type Described } from './schema.ts';
import { refuseOtherMethods } from './server.ts';

/** What there is to ask about the server's health. */
export interface HealthDependencies {
  /** Uses the database, as far as a small write; rejects while it is away or takes no writes. */
  readonly ping: () => Promise<void>;
  /** Whether the server is about to stop. */
  readonly isStopping: () => boolean;
}

const WELL = anObject({ status: aWordOf('ok') });
const OK: Described<typeof WELL> = { status: 'ok' };

const REASON = {
  status: aWordOf('unavailable'),
  reason: aWordOf('stopping', 'database'),
};
const UNREADY = anObject(REASON);
const UNREADY_IN_WORDS = anObject({ ...REASON, message: aString });
type Unready = Described<typeof UNREADY_IN_WORDS>;

async function unready({ ping, isStopping }: HealthDependencies): Promise<Unready | undefined> {
  const status = 'unavailable';
  if (isStopping()) return { status, reason: 'stopping', message: 'The server is about to stop' };
  try {
    await ping();
    return undefined;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { status, reason: 'database', message };
  }
}

/** Milliseconds for which an outcome counts. */
const KEPT = 1000;

/** The same, but once a second at the most, however many ask. */
export function seldom(ping: () => Promise<void>, clock: Clock): () => Promise<void> {
  let last: { readonly begun: number; readonly outcome: Promise<void> } | undefined;
  return () => {
    const now = clock.monotonic();
    if (last === undefined || now - last.begun >= KEPT) last = { begun: now, outcome: ping() };
    return last.outcome;
  };
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
      answer: WELL,
      unavailable: UNREADY,
      fields: {},
      async handle() {
        const why = await unready(dependencies);
        if (why === undefined) return OK;
        return new JsonAnswer(503, { status: why.status, reason: why.reason });
      },
    }),
  );

/**
 * The same on a listener for operators: `GET /health` answers as long as the process is alive, `GET /ready` says in words
 * why it is not ready.
 */
export const operatorHealthEndpoints = (dependencies: HealthDependencies) => [
  endpoint({
    method: 'GET',
    path: '/health',
    servlet: 'HealthServlet',
    summary: 'Whether the process is alive',
    answer: WELL,
    fields: {},
    handle: () => OK,
  }),
  endpoint({
    method: 'GET',
    path: '/ready',
    servlet: 'HealthServlet',
    summary: 'Whether the server can answer, and if not, why',
    answer: WELL,
    unavailable: UNREADY_IN_WORDS,
    fields: {},
    async handle() {
      const why = await unready(dependencies);
      return why === undefined ? OK : new JsonAnswer(503, why);
    },
  }),
];

/** The same two where there is no API. */
export function serveHealth(app: FastifyInstance, dependencies: HealthDependencies): void {
  const method = ['GET' as const, 'HEAD' as const];
  app.route({ method, url: '/health', handler: async (_request, reply) => send(reply, OK) });
  app.route({
    method,
    url: '/ready',
    async handler(_request, reply) {
      const why = await unready(dependencies);
      return send(reply, why === undefined ? OK : new JsonAnswer(503, why));
    },
  });
  for (const url of ['/health', '/ready']) refuseOtherMethods(app, url, { taken: new Set(method) });
}
