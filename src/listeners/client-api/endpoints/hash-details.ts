import type { Lookup } from '../../../identity/associations/lookup.ts';
import { endpoint } from '../../http/endpoint.ts';
import { aList, anObject, aString } from '../../http/schema.ts';

/** `GET hash_details`: how addresses are to be hashed for a lookup. */
export const hashDetails = (lookups: Lookup) =>
  endpoint({
    method: 'GET',
    path: '/hash_details',
    servlet: 'HashDetailsServlet',
    needs: 'accepted-terms',
    summary: 'How to hash addresses for a lookup',
    answer: anObject({ lookup_pepper: aString, algorithms: aList(aString) }),
    fields: {},
    handle() {
      const { algorithms, pepper } = lookups.hashDetails();
      return { algorithms, lookup_pepper: pepper };
    },
  });
