import type { Terms } from '../../../identity/terms.ts';
import { endpoint } from '../../frame/endpoint.ts';
import { texts } from '../../frame/fields.ts';

/** `POST terms`: the user accepts documents, each in one of its languages. */
export const acceptTerms = (service: Terms) =>
  endpoint({
    method: 'POST',
    path: '/terms',
    servlet: 'TermsServlet',
    needs: 'token',
    fields: { user_accepts: texts },
    async handle(args, { user = '' }) {
      await service.accept(user, args.user_accepts);
      return {};
    },
  });
