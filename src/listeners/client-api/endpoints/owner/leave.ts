import type { Endpoint } from '../../../http/endpoint.ts';
import { backToPage, type OwnerPageServices, ownerForm } from './owner-form.ts';

/** Ends what the browser has, and its cookie. */
export const leaveOwnerPage = (services: OwnerPageServices): Endpoint =>
  ownerForm(services, {
    path: '/leave',
    summary: 'Ends what a browser has proven to the page',
    faults: [],
    fields: {},
    async handle(_args, token, context) {
      await services.owners.leave(token);
      return backToPage(context, services.cookie.clear);
    },
  });
