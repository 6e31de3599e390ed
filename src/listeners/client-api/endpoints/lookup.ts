import type { Limits } from '../../../identity/limits/limits.ts';
import type { Lookup } from '../../../identity/lookup.ts';
import { endpoint } from '../../frame/endpoint.ts';
import { text } from '../../frame/fields.ts';
import { anObject, signedAssociation } from '../../frame/schema.ts';
import { enforceLookups } from '../lookup-limits.ts';

/** `GET lookup` of v1: the signed association of one address, or `{}`. */
export const lookup = (lookups: Lookup, limits: Limits) =>
  endpoint({
    method: 'GET',
    path: '/lookup',
    servlet: 'LookupServlet',
    summary: 'The signed association of an address',
    faults: ['limit-exceeded'],
    answer: { anyOf: [signedAssociation, anObject({})] },
    fields: { medium: text, address: text },
    async handle({ medium, address }, context) {
      await enforceLookups(limits, context, 1);
      return (await lookups.find(medium, address)) ?? {};
    },
  });
