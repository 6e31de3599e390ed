import type { Limits } from '../../../identity/limits/limits.ts';
import type { Lookup } from '../../../identity/lookup.ts';
import { endpoint } from '../../frame/endpoint.ts';
import { threepids } from '../../frame/fields.ts';
import { aList, anObject, aString } from '../../frame/schema.ts';
import { enforceLookups } from '../lookup-limits.ts';

/** `POST bulk_lookup` of v1: the users of many addresses. */
export const bulkLookup = (lookups: Lookup, limits: Limits) =>
  endpoint({
    method: 'POST',
    path: '/bulk_lookup',
    servlet: 'BulkLookupServlet',
    summary: 'The users of many addresses',
    faults: ['too-many-addresses', 'limit-exceeded'],
    answer: anObject({ threepids: aList(aList(aString)) }),
    fields: { threepids },
    async handle(args, context) {
      await enforceLookups(limits, context, args.threepids.length);
      return { threepids: await lookups.findMany(args.threepids) };
    },
  });
