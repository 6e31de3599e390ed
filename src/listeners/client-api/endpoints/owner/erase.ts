import type { Endpoint } from '../../../http/endpoint.ts';
import { ADDRESS_FIELDS, type OwnerPageServices, ownerForm, ownerPage } from './owner-form.ts';

/** Erases all that is kept of the address; what else the browser has proven stays. */
export const eraseAddressOfOwner = (services: OwnerPageServices): Endpoint =>
  ownerForm(services, {
    path: '/erase',
    summary: 'Erases all that is kept of a proven address',
    faults: ['session-unknown'],
    fields: ADDRESS_FIELDS,
    async handle({ medium, address }, token, context) {
      await services.owners.erase(token, { medium, address });
      return ownerPage(services, context, { notice: 'erased' });
    },
  });
