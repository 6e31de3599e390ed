import type { Endpoint } from '../../../http/endpoint.ts';
import { type OwnerPageServices, ownerGet, ownerPage } from './owner-form.ts';

/** The page itself: what its browser may see. */
export const visitOwnerPage = (services: OwnerPageServices): Endpoint =>
  ownerGet(services, {
    path: '',
    summary: 'The page on which owners of addresses see and change what is kept of them',
    fields: {},
    handle: (_args, context) => ownerPage(services, context),
  });
