import type { IncomingMessage } from 'node:http';
import { ApiError } from './errors.ts';

/**
 * Refuses what lacks the header that HTTP/1.1 wants (RFC 9112, section 3.2).
 * @throws ApiError `M_UNKNOWN`
 */
export function requireHost({ headers, httpVersion }: IncomingMessage): void {
  if (headers.host !== undefined || httpVersion === '1.0') return;
  throw new ApiError(400, 'M_UNKNOWN', 'An HTTP/1.1 request must have a Host header');
}
