import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { ApiError, type Refusal } from './errors.ts';

/** Which web pages may use an API: by CORS all; those that it serves itself; or what comes from one is refused. */
export type WebClients = 'allowed' | 'own' | 'refused';

/** What answers a request with an Origin where web pages are refused. */
export const NOT_FOR_WEB_PAGES: Refusal = [403, 'M_FORBIDDEN'];

/**
 * Whether a page of this same listener asks. Behind a proxy that changes the Host the browser's word tells, which it gives
 * where it trusts the connection, and no page can forge.
 */
export function isOwnPage({
  origin,
  host,
  'sec-fetch-site': site,
}: Readonly<IncomingHttpHeaders>): boolean {
  if (site !== undefined) return site === 'same-origin';
  return origin === `http://${host}` || origin === `https://${host}`;
}

/** Browsers send an Origin with every POST: no page is to act through the browser of who can reach this API. */
export function refuseWebPages({ headers }: FastifyRequest, serves: WebClients): void {
  if (headers.origin === undefined || (serves === 'own' && isOwnPage(headers))) return;
  throw new ApiError(
    ...NOT_FOR_WEB_PAGES,
    'This API is not for web pages: no request with an Origin',
  );
}
