import type { Endpoint } from '../../../http/endpoint.ts';
import { field } from '../../../http/fields.ts';
import { type OwnerPageServices, ownerAction } from './owner-form.ts';

const ANSWERS = ['yes', 'no'] as const;
const mailed = field('yes or no', { type: 'string', enum: [...ANSWERS] }, (raw) =>
  ANSWERS.find((answer) => answer === raw),
);

/** Whether invitations are mailed to the address. */
export const mailInvitations = (services: OwnerPageServices): Endpoint =>
  ownerAction(services, {
    path: '/invitations',
    summary: 'Whether invitations are mailed to a proven address',
    fields: { mailed },
    act: (token, threepid, args) =>
      services.owners.refuseInvitations(token, threepid, args.mailed === 'no'),
  });
