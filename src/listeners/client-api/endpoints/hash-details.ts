import type { Lookup } from '../../../identity/lookup.ts';
import { endpoint } from '../../frame/endpoint.ts';

/** `GET hash_details`: how addresses are to be hashed for a lookup. */
export const hashDetails = (lookups: Lookup) =>
  endpoint({
    method: 'GET',
    path: '/hash_details',
    servlet: 'HashDetailsServlet',
    needs: 'user',
    fields: {},
    handle() {
      const { algorithms, pepper } = lookups.hashDetails();
      return { algorithms, lookup_pepper: pepper };
    },
  });
