import type { FastifyRequest } from 'fastify';
import { ApiError } from './errors.ts';

/** For Node's server: it would itself refuse what has no Host header, with neither body nor CORS. */
export const WITHOUT_HOST = { requireHostHeader: false };

/**
 * Refuses what lacks the header that HTTP/1.1 wants (RFC 9112, section 3.2).
 * @throws ApiError `M_UNKNOWN`
 */
export function requireHost({ raw }: FastifyRequest): void {
  if (raw.headers.host !== undefined || raw.httpVersion === '1.0') return;
  throw new ApiError(400, 'M_UNKNOWN', 'An HTTP/1.1 request must have a Host header');
}
