import type { Endpoint } from '../../../http/endpoint.ts';
import { ownerData } from './data.ts';
import { declineInvitation } from './decline.ts';
import { eraseAddressOfOwner } from './erase.ts';
import { leaveOwnerPage } from './leave.ts';
import { mailInvitations } from './mail-invitations.ts';
import type { OwnerPageServices } from './owner-form.ts';
import { proveToOwnerPage } from './prove.ts';
import { sendOwnerCode } from './send-code.ts';
import { stopBeingFound } from './stop.ts';
import { visitOwnerPage } from './visit.ts';

/** The page of owners of addresses, and what its forms do. */
export const ownerPages = (services: OwnerPageServices): Endpoint[] => [
  visitOwnerPage(services),
  sendOwnerCode(services),
  proveToOwnerPage(services),
  stopBeingFound(services),
  declineInvitation(services),
  mailInvitations(services),
  ownerData(services),
  eraseAddressOfOwner(services),
  leaveOwnerPage(services),
];
