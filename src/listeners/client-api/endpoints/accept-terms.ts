import type { Terms } from '../../../identity/accounts/terms.ts';
import { endpoint } from '../../http/endpoint.ts';
import { texts } from '../../http/fields.ts';
import { anEmptyObject } from '../../http/schema.ts';

/** `POST terms`: the user accepts documents, each in one of its languages. */
export const acceptTerms = (service: Terms) =>
  endpoint({
    method: 'POST',
    path: '/terms',
    servlet: 'TermsServlet',
    needs: 'any-token',
    summary: 'Accept documents of the terms',
    faults: ['terms-unknown'],
    answer: anEmptyObject,
    fields: { user_accepts: texts },
    async handle(args, { user = '' }) {
      await service.accept(user, args.user_accepts);
      return {};
    },
  });
