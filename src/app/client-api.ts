import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { Delivery } from '../delivery/delivery.ts';
import type { Homeservers } from '../homeservers/homeservers.ts';
import type { Accounts } from '../identity/accounts/accounts.ts';
import { createRegistration } from '../identity/accounts/registration.ts';
import type { Terms } from '../identity/accounts/terms.ts';
import type { Associations } from '../identity/associations/associations.ts';
import { createLookup } from '../identity/associations/lookup.ts';
import { createUnbinding } from '../identity/associations/unbinding.ts';
import { createInvitationRoom } from '../identity/invitations/invitation-room.ts';
import { createInvitations, type Invitations } from '../identity/invitations/invitations.ts';
import { createAskedAddresses } from '../identity/limits/asked-addresses.ts';
import type { HomeserverAccounts } from '../identity/limits/homeserver-accounts.ts';
import type { Limits } from '../identity/limits/limits.ts';
import { createLookupLimits } from '../identity/limits/lookup-limits.ts';
import type { ServerKeys } from '../identity/server-keys.ts';
import { createEmailValidation } from '../identity/validation/email-validation.ts';
import { createPhoneValidation } from '../identity/validation/phone-validation.ts';
import type { Validation } from '../identity/validation/validation.ts';
import { clientApiRoutes, ROOT } from '../listeners/client-api/routes.ts';
import type { Mount } from '../listeners/http/api-server.ts';
import type { Clock } from '../platform/clock.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { PhoneNumbers } from '../platform/phone-numbers.ts';
import type { Random } from '../platform/random.ts';
import type { Storage } from '../storage/stores/index.ts';

export interface ClientApiDependencies {
  readonly storage: Storage;
  readonly logger: Logger;
  readonly keys: ServerKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly delivery: Delivery;
  readonly homeservers: Homeservers;
  readonly phoneNumbers: PhoneNumbers;
  readonly validation: Validation;
  readonly terms: Terms;
  readonly accounts: Accounts;
  readonly associations: Associations;
  readonly limits: Limits;
  readonly homeserverAccounts: HomeserverAccounts;
}

/** What clients and homeservers ask of this server. */
export interface ClientApi {
  readonly mounts: Mount[];
  readonly invitations: Invitations;
}

/** Builds the services that only the client API has, and its routes: the part of startApp for who asks. */
export function buildClientApi(config: Config, deps: ClientApiDependencies): ClientApi {
  const { storage, keys, clock, random, metrics, delivery, homeservers } = deps;
  const { validation, logger, limits } = deps;
  const { general, http, access, email, sms } = config;
  const { nextLinkSchemes } = http;
  const root = `${http.clientHttpBase}${ROOT}/${general.enableV1Access ? 'api/v1' : 'v2'}`;

  const lookup = createLookup({
    ...{ storage, keys, clock },
    limits: createLookupLimits({
      ...{ limits, homeserverAccounts: deps.homeserverAccounts },
      asked: createAskedAddresses({ clock, random }),
      trustedHomeservers: [...access.lookupTrustedHomeservers, ...general.homeserverAllowList],
    }),
    addressLimit: general.addressLookupLimit,
    allowNone: access.lookupAllowNone,
  });
  const invitations = createInvitations({
    ...{ storage, keys, clock, random, limits, lookup, rules: email },
    room: createInvitationRoom({
      ...{ clock, logger, limits, rules: email.invites },
      onGivenWay: metrics.outbox.invitationGivenWay,
    }),
    sendInvitation: delivery.sendInvitation,
    onStored: metrics.outbox.invitationStored,
    signUrl: `${root}/sign-ed25519`,
  });
  const mounts = clientApiRoutes(
    {
      ...deps,
      lookup,
      invitations,
      registration: createRegistration({
        ...{ limits, accounts: deps.accounts },
        userOf: homeservers.openIdUser,
        allowedHomeservers: general.homeserverAllowList,
      }),
      emailValidation: createEmailValidation({
        ...{ validation, limits, nextLinkSchemes, logger },
        sendVerification: delivery.sendVerification,
        submitUrl: `${root}/validate/email/submitToken`,
      }),
      phoneValidation: createPhoneValidation({
        ...{ validation, limits, nextLinkSchemes, logger },
        parsePhoneNumber: deps.phoneNumbers.parse,
        sendVerification: delivery.sendVerificationSms,
        rules: sms.rules,
      }),
      unbinding: createUnbinding({ validation, associations: deps.associations }),
      verifyRequest: homeservers.verifyRequest,
      renderPage: delivery.renderPage,
      ping: storage.ping,
    },
    { ...general, clientHttpBase: http.clientHttpBase, confirmFirst: http.pageAsksFirst },
  );
  return { mounts, invitations };
}
