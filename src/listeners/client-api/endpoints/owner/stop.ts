import type { Endpoint } from '../../../http/endpoint.ts';
import { type OwnerPageServices, ownerAction } from './owner-form.ts';

/** The address leads to nobody any more. */
export const stopBeingFound = (services: OwnerPageServices): Endpoint =>
  ownerAction(services, {
    path: '/stop',
    summary: 'Takes back that a proven address leads to an account',
    fields: {},
    act: (token, threepid) => services.owners.stopBeingFound(token, threepid),
  });
