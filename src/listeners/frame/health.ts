import { endpoint, JsonAnswer } from './endpoint.ts';

/** `GET /health`: 200 while the server can answer, which takes its database. */
export const health = (ping: () => Promise<void>) =>
  endpoint({
    method: 'GET',
    path: '/health',
    servlet: 'HealthServlet',
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
