import type { Accounts } from '../../identity/accounts/accounts.ts';
import type { Registration } from '../../identity/accounts/registration.ts';
import type { Terms } from '../../identity/accounts/terms.ts';
import type { Associations } from '../../identity/associations/associations.ts';
import type { Lookup } from '../../identity/associations/lookup.ts';
import type { Unbinding } from '../../identity/associations/unbinding.ts';
import type { Invitations } from '../../identity/invitations/invitations.ts';
import type { Refusals } from '../../identity/invitations/refusals.ts';
import type { Owners } from '../../identity/owners/owners.ts';
import type { ServerKeys } from '../../identity/server-keys.ts';
import type { EmailValidation } from '../../identity/validation/email-validation.ts';
import type { PhoneValidation } from '../../identity/validation/phone-validation.ts';
import type { Validation } from '../../identity/validation/validation.ts';
import type { Routes } from '../http/api-server.ts';
import { healthEndpoints } from '../http/health.ts';
import { openapi } from '../http/openapi-endpoint.ts';
import { acceptTerms } from './endpoints/accept-terms.ts';
import { account } from './endpoints/account.ts';
import { accountLogout } from './endpoints/account-logout.ts';
import { accountRegister } from './endpoints/account-register.ts';
import { bind } from './endpoints/bind.ts';
import { bulkLookup } from './endpoints/bulk-lookup.ts';
import { terms } from './endpoints/get-terms.ts';
import { getValidated3pid } from './endpoints/get-validated-3pid.ts';
import { hashDetails } from './endpoints/hash-details.ts';
import { lookup } from './endpoints/lookup.ts';
import { lookupMapped } from './endpoints/lookup-mapped.ts';
import { operatorLogo, type ReadLogo } from './endpoints/operator-logo.ts';
import { ownerCookie } from './endpoints/owner/browser.ts';
import { OWNER_PATH, type RenderOwnerPage } from './endpoints/owner/owner-form.ts';
import { ownerPages } from './endpoints/owner/pages.ts';
import type { RenderPage } from './endpoints/page-context.ts';
import { ping } from './endpoints/ping.ts';
import { pubkey } from './endpoints/pubkey.ts';
import { pubkeyEphemeralIsValid } from './endpoints/pubkey-ephemeral-isvalid.ts';
import { pubkeyIsValid } from './endpoints/pubkey-isvalid.ts';
import { refuseInvitations } from './endpoints/refuse-invitations.ts';
import { signEd25519 } from './endpoints/sign-ed25519.ts';
import { storeInvite } from './endpoints/store-invite.ts';
import { unbind, type VerifyRequest } from './endpoints/unbind.ts';
import { validateEmailRequestToken } from './endpoints/validate-email-request-token.ts';
import { validateMsisdnRequestToken } from './endpoints/validate-msisdn-request-token.ts';
import { validateSubmitToken } from './endpoints/validate-submit-token.ts';
import { validateSubmitTokenPages } from './endpoints/validate-submit-token-page.ts';
import { versions } from './endpoints/versions.ts';

export interface ClientApiServices {
  readonly keys: ServerKeys;
  readonly accounts: Accounts;
  readonly registration: Registration;
  readonly terms: Terms;
  readonly validation: Validation;
  readonly emailValidation: EmailValidation;
  readonly phoneValidation: PhoneValidation;
  readonly associations: Associations;
  readonly unbinding: Unbinding;
  readonly verifyRequest: VerifyRequest;
  readonly lookup: Lookup;
  readonly invitations: Invitations;
  readonly refusals: Refusals;
  /** Undefined: their page is not served. */
  readonly owners: Owners | undefined;
  readonly renderPage: RenderPage;
  readonly renderOwnerPage: RenderOwnerPage;
  /** Undefined: there is none. */
  readonly readLogo: ReadLogo | undefined;
  /** Resolves when the database answers. */
  readonly ping: () => Promise<void>;
  /** Whether the server is about to stop. */
  readonly isStopping: () => boolean;
}

export interface ClientApiSwitches {
  /** Whether a mailed link asks for a click. */
  readonly confirmFirst: boolean;
  readonly enableV1Access: boolean;
  readonly enableV1Associations: boolean;
  /** Where this server is to be found from outside. */
  readonly clientHttpBase: string;
}

export const ROOT = '/_matrix/identity';
/** What is this server's own, and no version of the specification's: below the root, as proxies pass on nothing else. */
const OWN = `${ROOT}/cognomen`;
/** Where the link in invitations leads by which their owners refuse more of them. */
export const REFUSAL_PATH = `${OWN}/refuse-invitations`;

/** The table of contents of the client API. */
export function clientApiRoutes(
  services: ClientApiServices,
  switches: ClientApiSwitches,
): Routes[] {
  const { keys, validation, invitations } = services;
  const keyEndpoints = [pubkey(keys), pubkeyIsValid(keys), pubkeyEphemeralIsValid(invitations)];
  const signing = signEd25519(invitations);
  const inviting = storeInvite({ ...services, baseUrl: switches.clientHttpBase });
  const pages = {
    validation,
    renderPage: services.renderPage,
    confirmFirst: switches.confirmFirst,
  };
  const pagesOfLinks = [
    ...validateSubmitTokenPages('email', pages),
    ...validateSubmitTokenPages('msisdn', pages),
  ];
  const binding = bind(validation, services.associations);
  const unbinding = unbind(services.unbinding, services.verifyRequest);
  const sessions = [
    validateEmailRequestToken(services.emailValidation),
    validateSubmitToken('email', validation),
    validateMsisdnRequestToken(services.phoneValidation),
    validateSubmitToken('msisdn', validation),
    getValidated3pid(validation),
  ];

  // Those who look whether the server is there need no version, and links in mails are this server's own.
  const v1ForAll = [ping('V1Servlet'), ...pagesOfLinks];
  const v1 = [
    ...sessions,
    lookup(services.lookup),
    bulkLookup(services.lookup),
    inviting,
    ...(switches.enableV1Associations ? [binding] : []),
    unbinding,
  ];
  const v2 = [
    ping('V2Servlet'),
    ...keyEndpoints,
    terms(services.terms),
    acceptTerms(services.terms),
    accountRegister(services.registration),
    account,
    accountLogout(services.accounts),
    ...sessions,
    ...pagesOfLinks,
    hashDetails(services.lookup),
    lookupMapped(services.lookup),
    binding,
    unbinding,
    inviting,
    signing,
  ];

  const { owners } = services;
  const cookie = () => ownerCookie(switches.clientHttpBase, `${OWN}${OWNER_PATH}`);
  const own = [
    ...refuseInvitations(services),
    ...(owners === undefined ? [] : ownerPages({ ...services, owners, cookie: cookie() })),
  ];

  const routes: Routes[] = [
    { root: '', style: 'v2', endpoints: healthEndpoints(services) },
    {
      root: ROOT,
      style: 'v2',
      endpoints: [
        versions(switches.enableV1Access),
        ...(services.readLogo ? [operatorLogo(services.readLogo)] : []),
        openapi(
          () => routes,
          'Matrix Identity Service API, as served by Cognomen',
          switches.clientHttpBase,
        ),
      ],
    },
    // Room events and mails already sent refer to these under v1, whether or not the rest of it is served.
    { root: `${ROOT}/api/v1`, style: 'v1', endpoints: [...keyEndpoints, signing] },
    ...(switches.enableV1Access
      ? [
          { root: `${ROOT}/api/v1`, style: 'v1' as const, endpoints: v1ForAll },
          { root: `${ROOT}/api/v1`, style: 'v1' as const, endpoints: v1, isOldWay: true },
        ]
      : []),
    { root: `${ROOT}/v2`, style: 'v2', endpoints: v2 },
    { root: OWN, style: 'v2', tag: 'cognomen', endpoints: own },
  ];
  return routes;
}
