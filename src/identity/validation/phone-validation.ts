import type { Logger } from 'pino';
import { IdentityError, reason } from '../../model/errors.ts';
import type { PhoneNumber } from '../../platform/phone-numbers.ts';
import { type Caller, messageCharges } from '../limits/charges.ts';
import type { Limits } from '../limits/limits.ts';
import type { FollowRequest } from '../messages/followed-request.ts';
import { type DestinationRules, verdictOn } from './destinations.ts';
import { usableNextLink } from './next-link.ts';
import type { Validation } from './validation.ts';

/** Proving a phone number: the code goes out in a text message. */
export interface PhoneValidation {
  /**
   * Resolves to the session's id and the number once the message, where one is due, has been taken by
   * the provider.
   * @throws IdentityError `parameter-invalid`, `phone-number-invalid`, `destination-rejected`,
   * `limit-exceeded`, `sms-off`, `sms-not-sent`, `overloaded`
   */
  request(request: PhoneValidationRequest): Promise<{ sid: number; phone: PhoneNumber }>;
}

export interface PhoneValidationRequest {
  readonly phoneNumber: string;
  /** Where it is dialled from: ISO 3166-1 alpha-2. */
  readonly country: string;
  readonly clientSecret: string;
  readonly sendAttempt: number;
  readonly nextLink: string | undefined;
  readonly caller: Caller;
  /** Called once nothing refuses the message any more, with the session's id: it is now being handed over. */
  readonly admitted?: (sid: number) => void;
}

export interface VerificationSms {
  readonly to: PhoneNumber;
  readonly code: string;
}

export interface PhoneValidationDependencies {
  readonly validation: Validation;
  readonly parsePhoneNumber: (number: string, region: string) => Promise<PhoneNumber | undefined>;
  readonly rules: DestinationRules;
  readonly limits: Limits;
  readonly follow: FollowRequest;
  /** Whether nobody is there to send text messages. */
  readonly isOff: boolean;
  /** Rejects with IdentityError `sms-not-sent` or `overloaded`. */
  readonly sendVerification: (sms: VerificationSms) => Promise<void>;
  readonly nextLinkSchemes: readonly string[];
  readonly logger: Logger;
}

const IS_OFF =
  'Text messages are asked for, and none are sent: [sms] username is empty, so there is nobody to send them';

export function createPhoneValidation(deps: PhoneValidationDependencies): PhoneValidation {
  function checkDestination(phone: PhoneNumber): void {
    const verdict = verdictOn(phone, deps.rules);
    if (verdict === 'allowed') return;
    if (verdict === 'special' && !deps.limits.reached('sms.destinations')) return;
    throw new IdentityError(
      'destination-rejected',
      verdict === 'special'
        ? 'Text messages to numbers that may cost more than others are not sent from here'
        : 'Text messages to numbers that begin so are not sent from here',
      { details: reason('destination-rejected') },
    );
  }

  let isOffTold = false;

  /** Before anything is charged, or opens a session. */
  function checkOn(): void {
    if (!deps.isOff) return;
    if (!isOffTold) deps.logger.error(IS_OFF);
    isOffTold = true;
    throw new IdentityError('sms-off', 'This server sends no text messages', {
      details: reason('sms-off'),
    });
  }

  return {
    async request({ phoneNumber, country, clientSecret, sendAttempt, ...request }) {
      const phone = await deps.parsePhoneNumber(phoneNumber, country);
      if (phone === undefined) {
        throw new IdentityError(
          'phone-number-invalid',
          'phone_number must be a phone number, as it is dialled from country',
        );
      }
      const { msisdn } = phone;
      const { caller } = request;
      const threepid = { medium: 'msisdn', address: msisdn, typed: msisdn } as const;
      const followed = deps.follow({ threepid, what: 'verification', caller });
      const sid = await followed.run(async () => {
        checkOn();
        checkDestination(phone);
        return deps.validation.request({
          threepid,
          clientSecret,
          sendAttempt,
          nextLink: usableNextLink(request.nextLink, deps),
          charge: () =>
            followed.admit(async () => {
              deps.limits.admit(caller);
              return deps.limits.charge(messageCharges(caller, phone));
            }),
          send: (code, sid) => {
            request.admitted?.(sid);
            return deps.sendVerification({ to: phone, code });
          },
        });
      });
      return { sid, phone };
    },
  };
}
