import type { Endpoint } from '../../../http/endpoint.ts';
import { integer } from '../../../http/fields.ts';
import { type OwnerPageServices, ownerAction } from './owner-form.ts';

/** An invitation that waits is given up: its key is valid no more. */
export const declineInvitation = (services: OwnerPageServices): Endpoint =>
  ownerAction(services, {
    path: '/decline',
    summary: 'Gives up an invitation that waits for a proven address',
    fields: { id: integer },
    act: (token, threepid, { id }) => services.owners.decline(token, threepid, id),
  });
