import type { OperationContext } from '../../operations/operation.ts';
import { VERSION } from '../../platform/version.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { aList, anObject, aString, aWordOf } from '../http/schema.ts';

/** `GET about`: whom the token belongs to, and what server this is. */
export const about = ({ keys }: Pick<OperationContext, 'keys'>): Endpoint =>
  endpoint({
    method: 'GET',
    path: '/about',
    servlet: 'AdminServlet',
    summary: 'Who asks, in which role, and what server this is, with its public keys',
    answer: anObject({
      who: aString,
      role: aWordOf('viewer', 'operator'),
      server_name: aString,
      version: aString,
      keys: aList(anObject({ id: aString, public_key: aString })),
    }),
    fields: {},
    refusesUnknown: true,
    refusals: [[400, 'M_INVALID_PARAM']],
    handle(_args, { operator }) {
      if (operator === undefined) throw new Error('Nobody was let in');
      const { who, role } = operator;
      return {
        who,
        role,
        server_name: keys.serverName,
        version: VERSION,
        keys: [...keys.publicKeys].map(([id, key]) => ({ id, public_key: key })),
      };
    },
  });
