import { endpoint, JsonAnswer } from './endpoint.ts';
import { anObject, aString } from './schema.ts';

/** `GET /health`: 200 while the server can answer, which takes its database. */
export const health = (ping: () => Promise<void>) =>
  endpoint({
    method: 'GET',
    path: '/health',
    servlet: 'HealthServlet',
    summary: 'Whether the server can answer',
    answer: anObject({ status: aString }),
    fields: {},
    async handle() {
      try {
        await ping();
        return { status: 'ok' };
      } catch {
        return new JsonAnswer(503, { status: 'unavailable', reason: 'database' });
      }
    },
  });
