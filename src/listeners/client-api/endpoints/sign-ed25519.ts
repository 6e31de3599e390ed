import type { Invitations } from '../../../identity/invitations/invitations.ts';
import { endpoint } from '../../http/endpoint.ts';
import { mxid, text } from '../../http/fields.ts';
import { anObject, aString, signatures } from '../../http/schema.ts';

/** `POST sign-ed25519`: signs with an invitation's key; the mailed link brings token and key along. */
export const signEd25519 = (invitations: Invitations) =>
  endpoint({
    method: 'POST',
    path: '/sign-ed25519',
    servlet: 'BlindlySignStuffServlet',
    needs: 'accepted-terms',
    queryIsEnough: true,
    summary: 'Sign an invitation with its key; with all arguments in the query no token is needed',
    faults: ['invitation-unknown', 'parameter-invalid'],
    answer: anObject({ mxid: aString, sender: aString, token: aString, signatures }),
    fields: { mxid, token: text, private_key: text },
    handle: (args) =>
      invitations.sign({ mxid: args.mxid, token: args.token, privateKey: args.private_key }),
  });
