import { type Endpoint, FileAnswer } from '../../../http/endpoint.ts';
import { ADDRESS_FIELDS, type OwnerPageServices, ownerGet } from './owner-form.ts';

/** All that is kept of the address, to be taken along. */
export const ownerData = (services: OwnerPageServices): Endpoint =>
  ownerGet(services, {
    path: '/data',
    summary: 'All that is kept of a proven address, as JSON',
    faults: ['session-unknown'],
    fields: ADDRESS_FIELDS,
    async handle({ medium, address }, context) {
      const token = services.cookie.tokenIn(context) ?? services.owners.newToken();
      const kept = await services.owners.known(token, { medium, address });
      const json = JSON.stringify({ medium, address, kept }, null, 2);
      return new FileAnswer('application/octet-stream', Buffer.from(json), {
        'content-disposition': 'attachment; filename="my-address.json"',
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
      });
    },
  });
