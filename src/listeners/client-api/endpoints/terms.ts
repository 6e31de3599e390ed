import type { Terms } from '../../../identity/terms.ts';
import { endpoint } from '../../frame/endpoint.ts';

/** `GET terms`: the documents to accept, with a version and their languages. */
export const terms = (service: Terms) =>
  endpoint({
    method: 'GET',
    path: '/terms',
    servlet: 'TermsServlet',
    fields: {},
    handle: () => ({ policies: service.policies() }),
  });
