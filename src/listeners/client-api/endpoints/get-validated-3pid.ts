import type { Validation } from '../../../identity/validation/validation.ts';
import { endpoint } from '../../http/endpoint.ts';
import { clientSecret, sid } from '../../http/fields.ts';
import { anInteger, anObject, aString } from '../../http/schema.ts';

/** `GET 3pid/getValidated3pid`: the address that a session proved. */
export const getValidated3pid = (validation: Validation) =>
  endpoint({
    method: 'GET',
    path: '/3pid/getValidated3pid',
    servlet: 'GetValidated3pidServlet',
    needs: 'accepted-terms',
    summary: 'The address that a session proved',
    faults: ['session-unknown', 'session-expired', 'session-not-validated'],
    answer: anObject({ medium: aString, address: aString, validated_at: anInteger }),
    fields: { sid, client_secret: clientSecret },
    async handle(args) {
      const { threepid, validatedAt } = await validation.validated(args.sid, args.client_secret);
      return { medium: threepid.medium, address: threepid.address, validated_at: validatedAt };
    },
  });
