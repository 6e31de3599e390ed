import { sameSecret } from '../../identity/secrets.ts';
import type { SignedRequest } from './endpoint.ts';
import { ApiError, type Refusal } from './errors.ts';
import { parseQuery } from './form.ts';

/**
 * Whose access token it is.
 * @param needs `accepted-terms`: they must have accepted the terms.
 * @throws IdentityError `token-unknown`, `terms-not-accepted`
 */
export type Authenticate = (
  token: string | undefined,
  needs: 'accepted-terms' | 'any-token',
) => Promise<string>;

/** What answers a request without the token of its listener. */
export const WITHOUT_TOKEN: Refusal = [401, 'M_UNAUTHORIZED'];

/** The token behind `Bearer`. */
export const bearerOf = (authorization: string | undefined) =>
  /^\s*Bearer\s+(\S+)\s*$/i.exec(authorization ?? '')?.[1];

/**
 * Refuses whoever does not show the one token of a listener.
 * @throws ApiError `M_UNAUTHORIZED`
 */
export function requireToken(authorization: string | undefined, token: string): void {
  const given = bearerOf(authorization);
  if (given !== undefined && sameSecret(given, token)) return;
  throw new ApiError(...WITHOUT_TOKEN, 'This API wants its token: Authorization: Bearer', {
    headers: { 'www-authenticate': 'Bearer' },
  });
}

/** A request's access token. */
export interface FoundToken {
  readonly token: string | undefined;
  readonly inQuery: boolean;
}

/** How to find a request's access token: in its header, or in the query string of a GET. */
export function tokenReader(queryTokens: boolean) {
  return ({ method, authorization }: SignedRequest, query: string): FoundToken => {
    const bearer = bearerOf(authorization[0]);
    const mayBeInQuery = bearer === undefined && method === 'GET' && queryTokens;
    if (!mayBeInQuery || !query.includes('access_token=')) return { token: bearer, inQuery: false };
    return { token: parseQuery(query).get('access_token'), inQuery: true };
  };
}
