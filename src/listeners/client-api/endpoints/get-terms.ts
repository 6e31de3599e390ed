import type { Terms } from '../../../identity/accounts/terms.ts';
import { endpoint } from '../../http/endpoint.ts';
import { aMap, anObject } from '../../http/schema.ts';

/** `GET terms`: the documents to accept, with a version and their languages. */
export const terms = (service: Terms) =>
  endpoint({
    method: 'GET',
    path: '/terms',
    servlet: 'TermsServlet',
    summary: 'The documents to accept',
    answer: anObject({ policies: aMap(anObject({})) }),
    fields: {},
    handle: () => ({ policies: service.policies() }),
  });
