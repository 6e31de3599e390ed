import type { Limits } from '../../../identity/limits/limits.ts';
import type { Lookup } from '../../../identity/lookup.ts';
import { endpoint } from '../../frame/endpoint.ts';
import { text, texts } from '../../frame/fields.ts';
import { aMap, anObject, aString } from '../../frame/schema.ts';
import { enforceLookups } from '../lookup-limits.ts';

/** `POST lookup` of v2: the users of many addresses, hashed or not. */
export const lookupMapped = (lookups: Lookup, limits: Limits) =>
  endpoint({
    method: 'POST',
    path: '/lookup',
    servlet: 'LookupV2Servlet',
    needs: 'user',
    summary: 'The users of many addresses, hashed or not',
    faults: ['parameter-invalid', 'pepper-invalid', 'too-many-addresses', 'limit-exceeded'],
    answer: anObject({ mappings: aMap(aString) }),
    fields: { addresses: texts, algorithm: text, pepper: text },
    async handle(args, context) {
      await enforceLookups(limits, context, args.addresses.length);
      return { mappings: Object.fromEntries(await lookups.findMapped(args)) };
    },
  });
