import type { Lookup } from '../../../identity/associations/lookup.ts';
import { endpoint } from '../../http/endpoint.ts';
import { aList, anObject, aString } from '../../http/schema.ts';

/** `GET hash_details`: how addresses are to be hashed for a lookup; former peppers as in MSC4004. */
export const hashDetails = (lookups: Lookup) =>
  endpoint({
    method: 'GET',
    path: '/hash_details',
    servlet: 'HashDetailsServlet',
    needs: 'accepted-terms',
    summary: 'How to hash addresses for a lookup',
    answer: anObject(
      { lookup_pepper: aString, algorithms: aList(aString) },
      { alt_lookup_peppers: aList(aString) },
    ),
    fields: {},
    async handle() {
      const { algorithms, pepper, former } = await lookups.hashDetails();
      const alternatives = former.length === 0 ? {} : { alt_lookup_peppers: former };
      return { algorithms, lookup_pepper: pepper, ...alternatives };
    },
  });
