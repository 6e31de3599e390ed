import type { Lookup } from '../../../identity/lookup.ts';
import { endpoint } from '../../frame/endpoint.ts';
import { threepids } from '../../frame/fields.ts';

/** `POST bulk_lookup` of v1: the users of many addresses. */
export const bulkLookup = (lookups: Lookup) =>
  endpoint({
    method: 'POST',
    path: '/bulk_lookup',
    servlet: 'BulkLookupServlet',
    fields: { threepids },
    handle: async (args) => ({ threepids: await lookups.findMany(args.threepids) }),
  });
