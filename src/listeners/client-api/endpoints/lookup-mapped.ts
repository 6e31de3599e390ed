import type { Lookup } from '../../../identity/associations/lookup.ts';
import { endpoint, JsonText } from '../../http/endpoint.ts';
import { text, texts } from '../../http/fields.ts';
import { jsonOfTexts } from '../../http/json.ts';
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
      const mappings = await lookups.findMapped(args, caller);
      return new JsonText(`{"mappings":${await jsonOfTexts(mappings)}}`);
    },
  });
