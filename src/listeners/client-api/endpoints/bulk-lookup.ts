import type { Lookup } from '../../../identity/associations/lookup.ts';
import { endpoint } from '../../http/endpoint.ts';
import { threepids } from '../../http/fields.ts';
import { aList, anObject, aString } from '../../http/schema.ts';

/** `POST bulk_lookup` of v1: the users of many addresses. */
export const bulkLookup = (lookups: Lookup) =>
  endpoint({
    method: 'POST',
    path: '/bulk_lookup',
    servlet: 'BulkLookupServlet',
    summary: 'The users of many addresses',
    faults: ['too-many-addresses', 'limit-exceeded'],
    answer: anObject({ threepids: aList(aList(aString)) }),
    fields: { threepids },
    async handle(args, { caller }) {
      return { threepids: await lookups.findMany(args.threepids, caller) };
    },
  });
