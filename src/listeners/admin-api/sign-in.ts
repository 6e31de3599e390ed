import type { OperationContext } from '../../operations/operation.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { anObject, aString } from '../http/schema.ts';

const OFFER = anObject(
  { issuer: aString, client_id: aString, scope: aString },
  { resource: aString },
);

/** `GET sign-in`: how the console can sign in otherwise than by a token. For everybody, and so nothing but what is public. */
export const signIn = ({ config }: Pick<OperationContext, 'config'>): Endpoint =>
  endpoint({
    method: 'GET',
    path: '/sign-in',
    servlet: 'AdminServlet',
    summary:
      'By which provider of OpenID Connect one can sign in, and as which client; for everybody',
    answer: anObject({}, { oidc: OFFER }),
    fields: {},
    refusesUnknown: true,
    refusals: [[400, 'M_INVALID_PARAM']],
    handle() {
      const { oidc } = config.admin;
      if (oidc?.consoleClientId === undefined) return {};
      const { issuer, audience, roleClaim, viewerValues, operatorValues } = oidc;
      // Where scopes are roles, they have to be asked for.
      const roles = roleClaim === 'scope' ? [...viewerValues, ...operatorValues] : [];
      return {
        oidc: {
          issuer,
          client_id: oidc.consoleClientId,
          scope: ['openid', ...roles].join(' '),
          // RFC 8707: a resource is named by a URI.
          resource: URL.canParse(audience) ? audience : undefined,
        },
      };
    },
  });
