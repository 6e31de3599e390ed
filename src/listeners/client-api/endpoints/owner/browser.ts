import { formTokenOf, isOwnerToken } from '../../../../identity/owners/owner-tokens.ts';
import { sameSecret } from '../../../../identity/secrets.ts';
import { IdentityError } from '../../../../model/errors.ts';
import { withoutTrailing } from '../../../../platform/without-trailing.ts';
import type { RequestContext } from '../../../http/endpoint.ts';
import { isOwnPage } from '../../../http/web-pages.ts';

/** The one cookie there is, and whom it is sent back to. */
export interface OwnerCookie {
  /** What the browser has; undefined: nothing that could be a token. */
  tokenIn(context: RequestContext): string | undefined;
  /** The header that gives it one. */
  set(token: string): Readonly<Record<string, string>>;
  /** The header that takes it away. */
  readonly clear: Readonly<Record<string, string>>;
}

/**
 * Out of reach of scripts and of requests that other sites cause, and sent to this page alone. It ends with the browser;
 * what it is good for ends sooner, in the database.
 * @param baseUrl where this server is reached from outside
 * @param path of the page, below that
 */
export function ownerCookie(baseUrl: string, path: string): OwnerCookie {
  const { protocol, pathname } = new URL(URL.canParse(baseUrl) ? baseUrl : 'https://localhost');
  const isSecure = protocol === 'https:';
  // No page without TLS can put one of this name into a browser.
  const name = isSecure ? '__Secure-cognomen-owner' : 'cognomen-owner';
  const where = `Path=${withoutTrailing(pathname, '/')}${path}; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`;
  const header = (value: string) => ({ 'set-cookie': value });
  return {
    tokenIn({ headers }) {
      const prefix = `${name}=`;
      const pairs = headers.cookie?.split(';').map((pair) => pair.trim()) ?? [];
      const values = pairs
        .filter((pair) => pair.startsWith(prefix))
        .map((pair) => pair.slice(prefix.length));
      // Of several, somebody else may have put one there.
      const [token = ''] = values;
      return values.length === 1 && isOwnerToken(token) ? token : undefined;
    },
    set: (token) => header(`${name}=${token}; ${where}`),
    clear: header(`${name}=; ${where}; Max-Age=0`),
  };
}

/**
 * The token of the browser that sends a form of our page.
 * @throws IdentityError `forbidden` where another page may have sent it, or there is no cookie
 */
export function requireOwnForm(cookie: OwnerCookie, context: RequestContext, form: string): string {
  const token = cookie.tokenIn(context);
  const { origin, 'sec-fetch-site': site } = context.headers;
  // Browsers that send neither are old; cookie and form have to fit in any case.
  const isOwn = (origin === undefined && site === undefined) || isOwnPage(context.headers);
  if (isOwn && token !== undefined && sameSecret(form, formTokenOf(token))) return token;
  throw new IdentityError('forbidden', 'This form is not of the page of this browser');
}
