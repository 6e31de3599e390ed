import type { Config } from '../config/config.ts';
import { createOwnerCodes } from '../identity/owners/owner-codes.ts';
import { createOwnerInvitations } from '../identity/owners/owner-invitations.ts';
import { createOwners, type Owners } from '../identity/owners/owners.ts';
import { signUrlOf } from './api-root.ts';
import type { Infrastructure } from './infrastructure.ts';
import type { Services } from './services.ts';

/** What the page of owners of addresses does, by the services that are there. */
export function ownersOf(
  config: Config,
  { storage, keys, clock, random, logger, phoneNumbers }: Infrastructure,
  services: Pick<
    Services,
    'validation' | 'emailValidation' | 'phoneValidation' | 'associations' | 'refusals'
  >,
): Owners {
  const { email, general } = config;
  const common = { storage, clock, random, logger };
  return createOwners({
    ...common,
    ...services,
    serverName: keys.serverName,
    tombstoneLifetime: general.tombstoneLifetime,
    codes: createOwnerCodes({ ...services, random, logger, parsePhoneNumber: phoneNumbers.parse }),
    invitations: createOwnerInvitations({
      ...common,
      keys,
      webClients: email,
      signUrl: signUrlOf(config),
      expiry: email.invites.expiry,
    }),
  });
}
