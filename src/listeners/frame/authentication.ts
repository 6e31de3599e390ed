import type { SignedRequest } from './endpoint.ts';
import { parseQuery } from './form.ts';

/**
 * Whose access token it is.
 * @param needs `user`: they must have accepted the terms.
 * @throws IdentityError `token-unknown`, `terms-not-accepted`
 */
export type Authenticate = (token: string | undefined, needs: 'user' | 'token') => Promise<string>;

/** How to find a request's access token: in its header, or in the query string of a GET. */
export function tokenReader(queryTokens: boolean) {
  return ({ method, authorization }: SignedRequest, query: string): string | undefined => {
    const bearer = /^\s*Bearer\s+(\S+)\s*$/i.exec(authorization[0] ?? '')?.[1];
    if (bearer !== undefined || method !== 'GET' || !queryTokens) return bearer;
    return query.includes('access_token=') ? parseQuery(query).get('access_token') : undefined;
  };
}
