import type { Lookup } from '../../../identity/lookup.ts';
import { endpoint } from '../../frame/endpoint.ts';
import { threepids } from '../../frame/fields.ts';
import { aList, anObject, aString } from '../../frame/schema.ts';

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
