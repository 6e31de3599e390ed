import type { Lookup } from '../../../identity/associations/lookup.ts';
import { endpoint } from '../../http/endpoint.ts';
import { text, texts } from '../../http/fields.ts';
import { aMap, anObject, aString } from '../../http/schema.ts';

/** `POST lookup` of v2: the users of many addresses, hashed or not. */
export const lookupMapped = (lookups: Lookup) =>
  endpoint({
    method: 'POST',
    path: '/lookup',
    servlet: 'LookupV2Servlet',
    needs: 'accepted-terms',
    summary: 'The users of many addresses, hashed or not',
    faults: ['parameter-invalid', 'pepper-invalid', 'too-many-addresses', 'limit-exceeded'],
    answer: anObject({ mappings: aMap(aString) }),
    fields: { addresses: texts, algorithm: text, pepper: text },
    async handle(args, { caller }) {
      return { mappings: Object.fromEntries(await lookups.findMapped(args, caller)) };
    },
  });
