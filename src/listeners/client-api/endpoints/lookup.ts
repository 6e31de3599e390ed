import type { Lookup } from '../../../identity/lookup.ts';
import { endpoint } from '../../frame/endpoint.ts';
import { text } from '../../frame/fields.ts';

/** `GET lookup` of v1: the signed association of one address, or `{}`. */
export const lookup = (lookups: Lookup) =>
  endpoint({
    method: 'GET',
    path: '/lookup',
    servlet: 'LookupServlet',
    fields: { medium: text, address: text },
    handle: async ({ medium, address }) => (await lookups.find(medium, address)) ?? {},
  });
