import type { Logger } from 'pino';
import { mailboxOf, parseThreePid } from '../../model/addresses.ts';
import { IdentityError } from '../../model/errors.ts';
import type { Language } from '../../model/languages.ts';
import { type Caller, mailCharges } from '../limits/charges.ts';
import type { Limits } from '../limits/limits.ts';
import type { FollowRequest } from '../messages/followed-request.ts';
import { usableNextLink } from './next-link.ts';
import { CODES } from './session-codes.ts';
import { shortCodeOf } from './short-code.ts';
import type { Validation } from './validation.ts';

/** Proving an email address: the code goes out in a mail with a link. */
export interface EmailValidation {
  /**
   * Resolves to the session's id once the mail, where one is due, has been handed to the relay.
   * @throws IdentityError `email-invalid`, `email-not-sent`, `limit-exceeded`, `overloaded`,
   * `parameter-invalid`
   */
  request(request: EmailValidationRequest): Promise<number>;
}

export interface EmailValidationRequest {
  readonly email: string;
  readonly clientSecret: string;
  readonly sendAttempt: number;
  readonly nextLink: string | undefined;
  readonly brand: string | undefined;
  /** Undefined: none that there is was asked for. */
  readonly language: Language | undefined;
  readonly clientAddress: string | undefined;
  readonly caller: Caller;
  /** For the owners' page: the mail has a code for that, and no link that would prove the address to an app. */
  readonly forOwner?: boolean;
  /** Called once nothing refuses the mail any more, with the session's id: it is now being handed to the relay. */
  readonly admitted?: (sid: number) => void;
}

/** The mail with the code that lets the owner of an address see what is kept of it. */
export interface OwnerCodeMail {
  readonly to: string;
  /** Folded, as it is kept. */
  readonly address: string;
  readonly brand: string | undefined;
  readonly language: Language | undefined;
  readonly code: string;
  readonly ipAddress: string | undefined;
}

export interface VerificationMail {
  readonly to: string;
  /** Folded, as it is kept. */
  readonly address: string;
  readonly brand: string | undefined;
  readonly language: Language | undefined;
  readonly link: string;
  readonly token: string;
  /** What can be typed in place of the token, where there is such. */
  readonly code: string | undefined;
  readonly ipAddress: string | undefined;
  /** Milliseconds that the link works at most. */
  readonly lifetime: number;
}

export interface EmailValidationDependencies {
  readonly validation: Validation;
  readonly limits: Limits;
  readonly follow: FollowRequest;
  /** Rejects with IdentityError `email-invalid` or `email-not-sent`. */
  readonly sendVerification: (mail: VerificationMail) => Promise<void>;
  /** Rejects as `sendVerification` does. */
  readonly sendOwnerCode: (mail: OwnerCodeMail) => Promise<void>;
  /** The URL under which the mailed link is opened: `…/validate/email/submitToken`. */
  readonly submitUrl: string;
  /** Whether mails have a short code beside the link. */
  readonly shortCodes: boolean;
  readonly nextLinkSchemes: readonly string[];
  readonly logger: Logger;
}

const MAX_LENGTH = 500;

export function createEmailValidation(deps: EmailValidationDependencies): EmailValidation {
  return {
    async request(request) {
      const { email, clientSecret, sendAttempt, brand, language } = request;
      if (email.length < 1 || email.length > MAX_LENGTH) {
        throw new IdentityError(
          'parameter-invalid',
          `email must be from 1 to ${MAX_LENGTH} characters long`,
        );
      }
      const threepid = parseThreePid('email', email);
      if (threepid === undefined) {
        throw new IdentityError('email-invalid', 'email must be one plain address: local@domain');
      }
      const { caller } = request;
      const followed = deps.follow({ threepid, what: 'verification', caller, brand });
      const send = (token: string, sid: number) => {
        request.admitted?.(sid);
        const ipAddress = request.clientAddress;
        const addressed = { to: mailboxOf(threepid), address: threepid.address, brand, language };
        if (request.forOwner) {
          return deps.sendOwnerCode({ ...addressed, code: shortCodeOf(token), ipAddress });
        }
        const query = new URLSearchParams({
          token,
          client_secret: clientSecret,
          sid: String(sid),
          ...(brand === undefined ? {} : { brand }),
        });
        return deps.sendVerification({
          ...addressed,
          link: `${deps.submitUrl}?${query}`,
          token,
          code: deps.shortCodes ? shortCodeOf(token) : undefined,
          ipAddress,
          lifetime: CODES.email.lifetime,
        });
      };
      return followed.run(() =>
        deps.validation.request({
          threepid,
          clientSecret,
          sendAttempt,
          nextLink: usableNextLink(request.nextLink, deps),
          charge: () =>
            followed.admit(async () => {
              deps.limits.admit(caller);
              return deps.limits.charge(mailCharges(caller, threepid.address));
            }),
          send,
        }),
      );
    },
  };
}
