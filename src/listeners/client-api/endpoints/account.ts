import { endpoint } from '../../http/endpoint.ts';
import { anObject, aString } from '../../http/schema.ts';

/** `GET account`: whose access token it is. */
export const account = endpoint({
  method: 'GET',
  path: '/account',
  servlet: 'AccountServlet',
  needs: 'accepted-terms',
  summary: 'Whose access token it is',
  answer: anObject({ user_id: aString }),
  fields: {},
  handle(_args, { user }) {
    if (user === undefined) throw new Error('A request of nobody');
    return { user_id: user };
  },
});
