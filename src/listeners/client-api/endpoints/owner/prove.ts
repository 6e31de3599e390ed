import type { Endpoint } from '../../../http/endpoint.ts';
import { text } from '../../../http/fields.ts';
import { backToPage, type OwnerPageServices, ownerForm } from './owner-form.ts';

/** Takes the code; from then on the browser is known by another token, which nobody can have put there before. */
export const proveToOwnerPage = (services: OwnerPageServices): Endpoint =>
  ownerForm(services, {
    path: '/prove',
    summary: 'Takes the code that proves an address to the page',
    faults: ['session-unknown', 'session-expired', 'token-incorrect'],
    fields: { code: text },
    async handle({ code }, token, context) {
      const next = await services.owners.prove(token, code.replaceAll(/\s/g, ''));
      return backToPage(context, services.cookie.set(next));
    },
  });
