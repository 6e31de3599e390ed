import type { Lookup } from '../../../identity/lookup.ts';
import { endpoint } from '../../frame/endpoint.ts';
import { threepids } from '../../frame/fields.ts';
import { enforceLookups, type LookupLimits } from '../lookup-limits.ts';

/** `POST bulk_lookup` of v1: the users of many addresses. */
export const bulkLookup = (lookups: Lookup, limits: LookupLimits) =>
  endpoint({
    method: 'POST',
    path: '/bulk_lookup',
    servlet: 'BulkLookupServlet',
    fields: { threepids },
    async handle(args, context) {
      await enforceLookups(limits, context, args.threepids.length);
      return { threepids: await lookups.findMany(args.threepids) };
    },
  });
