import { endpoint, JsonAnswer } from './endpoint.ts';
import { anObject, aString } from './schema.ts';

/** `GET /health`: 200 while the server can answer, which takes its database, and is not about to stop. */
export const health = (ping: () => Promise<void>, isStopping: () => boolean) =>
  endpoint({
    method: 'GET',
    path: '/health',
    servlet: 'HealthServlet',
    summary: 'Whether the server can answer',
    answer: anObject({ status: aString }),
    fields: {},
    async handle() {
      if (isStopping()) return new JsonAnswer(503, { status: 'unavailable', reason: 'stopping' });
      try {
        await ping();
        return { status: 'ok' };
      } catch {
        return new JsonAnswer(503, { status: 'unavailable', reason: 'database' });
      }
    },
  });
