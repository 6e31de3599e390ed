import type { Config } from '../config/config.ts';
import { canSendSms } from '../delivery/sms/sms.ts';
import { gaveNoSign } from '../homeservers/failures.ts';
import { createHomeservers, type Homeservers } from '../homeservers/homeservers.ts';
import type { HomeserverTimings } from '../homeservers/timings.ts';
import { type Accounts, createAccounts } from '../identity/accounts/accounts.ts';
import { createRegistration, type Registration } from '../identity/accounts/registration.ts';
import { createTerms, type Terms } from '../identity/accounts/terms.ts';
import { type Associations, createAssociations } from '../identity/associations/associations.ts';
import { createLookup, type Lookup } from '../identity/associations/lookup.ts';
import { createUnbinding, type Unbinding } from '../identity/associations/unbinding.ts';
import { createInvitationQuota } from '../identity/invitations/invitation-quota.ts';
import { createInvitations, type Invitations } from '../identity/invitations/invitations.ts';
import { createOnbindNotices, type OnbindNotices } from '../identity/invitations/onbind-notices.ts';
import { createRefusals, type Refusals } from '../identity/invitations/refusals.ts';
import { createAskedAddresses } from '../identity/limits/asked-addresses.ts';
import { type Blocks, createBlocks } from '../identity/limits/blocks.ts';
import {
  createHomeserverAccounts,
  type HomeserverAccounts,
} from '../identity/limits/homeserver-accounts.ts';
import { createHomeserverRequests } from '../identity/limits/homeserver-requests.ts';
import { createLimitHits, type LimitHits } from '../identity/limits/limit-hits.ts';
import { createLimits } from '../identity/limits/limits.ts';
import { createLookupLimits } from '../identity/limits/lookup-limits.ts';
import { requestFollower } from '../identity/messages/followed-request.ts';
import { createNetworkNames, type NetworkNames } from '../identity/network-names.ts';
import { createOldWays, type OldWays } from '../identity/old-ways.ts';
import { createOwnerNotices } from '../identity/owner-notices/owner-notices.ts';
import type { Owners } from '../identity/owners/owners.ts';
import { createPeppersInForce } from '../identity/peppers/peppers-in-force.ts';
import {
  createEmailValidation,
  type EmailValidation,
} from '../identity/validation/email-validation.ts';
import {
  createPhoneValidation,
  type PhoneValidation,
} from '../identity/validation/phone-validation.ts';
import { createValidation, type Validation } from '../identity/validation/validation.ts';
import type { TermsPolicy } from '../model/terms.ts';
import { createPace } from '../platform/pace.ts';
import { logFailure } from '../platform/unavailable.ts';
import { apiRootOf, refusalUrlOf, signUrlOf } from './api-root.ts';
import type { Infrastructure } from './infrastructure.ts';
import { ownersOf } from './owners.ts';

/** The services of the domain, each built once. */
export interface Services {
  readonly homeservers: Homeservers;
  readonly validation: Validation;
  readonly emailValidation: EmailValidation;
  readonly phoneValidation: PhoneValidation;
  readonly terms: Terms;
  readonly accounts: Accounts;
  readonly registration: Registration;
  readonly associations: Associations;
  readonly unbinding: Unbinding;
  readonly lookup: Lookup;
  readonly invitations: Invitations;
  readonly refusals: Refusals;
  /** Undefined: their page is not served. */
  readonly owners: Owners | undefined;
  readonly notices: OnbindNotices;
  readonly networkNames: NetworkNames;
  readonly oldWays: OldWays;
  readonly limitHits: LimitHits;
  readonly blocks: Blocks;
  readonly homeserverAccounts: HomeserverAccounts;
}

export interface ServicesOptions {
  /** The terms in force; undefined when there are none. */
  readonly termsPolicy: () => TermsPolicy | undefined;
  /** Told when homeservers are to be told of something, and it is committed. */
  readonly noticesAdded: () => void;
  /** Told when owners of addresses are to be told of something, and it is committed. */
  readonly ownerNoticesAdded: () => void;
  /** Told after an entry of the log was committed. */
  readonly associationLogged: () => void;
  /** What homeservers and other servers may take, where it is not to be the usual. */
  readonly homeserverTimings?: Partial<HomeserverTimings> | undefined;
  /** Milliseconds that a request waits for its turn to make this server ask a homeserver. */
  readonly askingPatience?: number | undefined;
}

export function createServices(
  config: Config,
  infrastructure: Infrastructure,
  options: ServicesOptions,
): Services {
  const { general, http, access, email, sms } = config;
  const { storage, keys, clock, random, metrics, logger, trail, history, delivery } =
    infrastructure;
  const networkNames = createNetworkNames({ storage, clock, random });
  const { buckets } = infrastructure;
  const limitHits = createLimitHits({ storage, buckets, clock, networkName: networkNames.of });
  const blocks = createBlocks({
    storage,
    clock,
    networkName: networkNames.of,
    onRefused: () => metrics.limitExceeded('block', true),
  });
  const limits = createLimits({
    blocks,
    settings: config.limits.settings,
    buckets,
    clock,
    logger,
    onExceeded: metrics.limitExceeded,
    onHit: limitHits.note,
  });
  const homeservers = createHomeservers(config, {
    ...infrastructure,
    requests: createHomeserverRequests({
      limits,
      isFailure: gaveNoSign,
      patience: options.askingPatience,
    }),
    timings: options.homeserverTimings,
  });

  const follow = requestFollower(trail, networkNames.of);
  const validation = createValidation({
    ...infrastructure,
    shortCodes: email.shortCodes,
  });
  const terms = createTerms({
    storage,
    current: options.termsPolicy,
    trustedHomeservers: access.termsTrustedHomeservers,
  });
  const { tokenLifetime } = access;
  const accounts = createAccounts({ storage, clock, random, terms, tokenLifetime });
  const notices = createOnbindNotices({
    ...infrastructure,
    metrics: metrics.onbind,
    expiry: email.invites.expiry,
    added: options.noticesAdded,
  });
  const associations = createAssociations({
    storage,
    keys,
    clock,
    notices,
    ownerNotices: general.ownerNotices
      ? createOwnerNotices({ clock, added: options.ownerNoticesAdded })
      : undefined,
    limits,
    trail,
    logged: options.associationLogged,
    onChange: metrics.associationChanged,
  });
  const homeserverAccounts = createHomeserverAccounts({ storage, clock, random });
  const lookupLimits = createLookupLimits({
    limits,
    homeserverAccounts,
    asked: createAskedAddresses({ clock, random }),
    pepper: storage.pepper,
    trustedHomeservers: [...access.lookupTrustedHomeservers, ...general.homeserverAllowList],
  });
  const lookup = createLookup({
    storage,
    keys,
    clock,
    limits: lookupLimits,
    peppers: createPeppersInForce({ storage, clock, inForce: lookupLimits.pepperChanged }),
    addressLimit: general.addressLookupLimit,
    allowNone: access.lookupAllowNone,
  });
  const root = apiRootOf(config);
  const { nextLinkSchemes } = http;
  const refusals = createRefusals({
    storage,
    clock,
    random,
    logger,
    trail,
    pace: createPace(clock, random),
    onWithheld: () => metrics.message('email', 'invitation', 'withheld'),
    url: refusalUrlOf(config),
  });
  const invitations = createInvitations({
    storage,
    keys,
    clock,
    random,
    limits,
    follow,
    lookup,
    rules: email,
    quota: createInvitationQuota({
      clock,
      logger,
      limits,
      rules: email.invites,
      onGivenWay: metrics.onbind.invitationGivenWay,
    }),
    sendInvitation: (mail) => refusals.sendUnlessRefused(mail, delivery),
    onStored: metrics.onbind.invitationStored,
    signUrl: signUrlOf(config),
  });
  const emailValidation = createEmailValidation({
    validation,
    limits,
    follow,
    nextLinkSchemes,
    logger,
    sendVerification: delivery.sendVerification,
    sendOwnerCode: delivery.sendOwnerCode,
    submitUrl: `${root}/validate/email/submitToken`,
    shortCodes: email.shortCodes,
  });
  const phoneValidation = createPhoneValidation({
    validation,
    limits,
    follow,
    isOff: !canSendSms(sms),
    nextLinkSchemes,
    logger,
    parsePhoneNumber: infrastructure.phoneNumbers.parse,
    sendVerification: delivery.sendVerificationSms,
    rules: sms.rules,
  });
  return {
    homeservers,
    validation,
    terms,
    accounts,
    notices,
    associations,
    homeserverAccounts,
    blocks,
    lookup,
    invitations,
    refusals,
    registration: createRegistration({
      limits,
      accounts,
      userOf: homeservers.openIdUser,
      allowedHomeservers: general.homeserverAllowList,
    }),
    emailValidation,
    phoneValidation,
    owners: config.selfService
      ? ownersOf(config, infrastructure, {
          validation,
          emailValidation,
          phoneValidation,
          associations,
          refusals,
        })
      : undefined,
    unbinding: createUnbinding({ validation, associations }),
    networkNames,
    limitHits,
    oldWays: createOldWays({
      storage,
      clock,
      onUse(way) {
        metrics.oldWay(way);
        history.noteOldWay(way);
      },
      onFailure: (error) => logFailure(logger, error, 'Noting the use of an old way failed'),
    }),
  };
}
