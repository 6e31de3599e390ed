import type { Associations } from '../../../identity/associations/associations.ts';
import type { Validation } from '../../../identity/validation/validation.ts';
import { IdentityError } from '../../../model/errors.ts';
import { endpoint } from '../../http/endpoint.ts';
import { clientSecret, mxid, sid } from '../../http/fields.ts';
import { boundAssociation } from '../../http/schema.ts';

/** `POST 3pid/bind`: publishes that the address a session proved is a user's. */
export const bind = (validation: Validation, associations: Associations) =>
  endpoint({
    method: 'POST',
    path: '/3pid/bind',
    servlet: 'ThreePidBindServlet',
    needs: 'accepted-terms',
    summary: 'Publish that a proven address is a user’s',
    faults: ['limit-exceeded', 'session-unknown', 'session-expired', 'session-not-validated'],
    faultsOfUsers: ['not-permitted'],
    answer: boundAssociation,
    fields: { sid, client_secret: clientSecret, mxid },
    async handle(args, { user }) {
      if (user !== undefined && args.mxid !== user) {
        throw new IdentityError('not-permitted', 'mxid must be the user whose access token it is');
      }
      const { threepid } = await validation.validated(args.sid, args.client_secret);
      return associations.bind(threepid, args.mxid, args.sid);
    },
  });
