import { preferredLanguage } from '../../../../model/languages.ts';
import type { Endpoint } from '../../../http/endpoint.ts';
import { text } from '../../../http/fields.ts';
import { backToPage, type OwnerPageServices, ownerForm } from './owner-form.ts';

/** Has a code sent to an address: answered alike whatever is known of it, before relay or provider have the message. */
export const sendOwnerCode = (services: OwnerPageServices): Endpoint =>
  ownerForm(services, {
    path: '/code',
    summary: 'Has a code sent by which the page’s reader proves an address',
    faults: [
      ...(['email-invalid', 'phone-number-invalid', 'destination-rejected', 'sms-off'] as const),
      ...(['limit-exceeded', 'overloaded', 'parameter-invalid'] as const),
    ],
    fields: { address: text },
    async handle({ address }, token, context) {
      const { clientAddress, caller } = context;
      const language = preferredLanguage(context.acceptLanguage);
      await services.owners.begin(token, {
        ...{ typed: address.trim(), language, clientAddress, caller },
      });
      return backToPage(context);
    },
  });
