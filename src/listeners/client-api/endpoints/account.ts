import { endpoint } from '../../frame/endpoint.ts';

/** `GET account`: whose access token it is. */
export const account = endpoint({
  method: 'GET',
  path: '/account',
  servlet: 'AccountServlet',
  needs: 'user',
  fields: {},
  handle: (_args, { user }) => ({ user_id: user }),
});
