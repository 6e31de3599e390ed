import type { Accounts } from '../../../identity/accounts/accounts.ts';
import { endpoint } from '../../http/endpoint.ts';
import { anEmptyObject } from '../../http/schema.ts';

/** `POST account/logout`: the access token works no more. Terms need not be accepted for that. */
export const accountLogout = (accounts: Accounts) =>
  endpoint({
    method: 'POST',
    path: '/account/logout',
    servlet: 'LogoutServlet',
    needs: 'any-token',
    takesNoBody: true,
    summary: 'End an access token',
    answer: anEmptyObject,
    fields: {},
    async handle(_args, { accessToken = '' }) {
      await accounts.logOut(accessToken);
      return {};
    },
  });
