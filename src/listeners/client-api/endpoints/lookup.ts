import type { Lookup } from '../../../identity/associations/lookup.ts';
import { endpoint } from '../../http/endpoint.ts';
import { text } from '../../http/fields.ts';
import { anEmptyObject, eitherOf, signedAssociation } from '../../http/schema.ts';

/** `GET lookup` of v1: the signed association of one address, or `{}`. */
export const lookup = (lookups: Lookup) =>
  endpoint({
    method: 'GET',
    path: '/lookup',
    servlet: 'LookupServlet',
    summary: 'The signed association of an address',
    faults: ['limit-exceeded'],
    answer: eitherOf(signedAssociation, anEmptyObject),
    fields: { medium: text, address: text },
    async handle({ medium, address }, { caller }) {
      return (await lookups.find(medium, address, caller)) ?? {};
    },
  });
