import type { Registration } from '../../../identity/accounts/registration.ts';
import { endpoint } from '../../http/endpoint.ts';
import { integer, text, unused } from '../../http/fields.ts';
import { anObject, aString } from '../../http/schema.ts';

/** `POST account/register`: an access token for an OpenID token of the user's homeserver. */
export const accountRegister = (registration: Registration) =>
  endpoint({
    method: 'POST',
    path: '/account/register',
    servlet: 'RegisterServlet',
    summary: 'An access token, for an OpenID token of the user’s homeserver',
    faults: [
      'homeserver-failed',
      'homeserver-not-allowed',
      'limit-exceeded',
      'overloaded',
      'parameter-invalid',
      'token-unknown',
    ],
    answer: anObject({ token: aString, access_token: aString }),
    fields: {
      matrix_server_name: text,
      access_token: text,
      token_type: unused(text),
      expires_in: unused(integer),
    },
    async handle(args, { caller }) {
      const { matrix_server_name: homeserver, access_token: openIdToken } = args;
      const token = await registration.register({ homeserver, openIdToken, caller });
      // Early clients looked for the name it has on homeservers.
      return { token, access_token: token };
    },
  });
