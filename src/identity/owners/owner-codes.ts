import type { Logger } from 'pino';
import { parseThreePid } from '../../model/addresses.ts';
import { IdentityError } from '../../model/errors.ts';
import type { Language } from '../../model/languages.ts';
import type { PhoneNumber } from '../../platform/phone-numbers.ts';
import type { Random } from '../../platform/random.ts';
import { logFailure } from '../../platform/unavailable.ts';
import type { Caller } from '../limits/charges.ts';
import type { EmailValidation } from '../validation/email-validation.ts';
import type { PhoneValidation } from '../validation/phone-validation.ts';
import type { OwnedThreePid } from './owner-data.ts';

/** Sends the codes by which owners prove their addresses on their page. */
export interface OwnerCodes {
  /**
   * Has a code sent to an address as somebody typed it. Resolves before relay or provider have taken the message, in the
   * same way whatever is known of the address; what becomes of it is for who reads the message.
   * @throws IdentityError `email-invalid`, `phone-number-invalid`, `destination-rejected`, `sms-off`,
   * `limit-exceeded`, `overloaded`
   * @param isProven an address that needs no code: none is sent, and undefined is the answer
   */
  send(
    request: OwnerCodeRequest,
    isProven: (threepid: OwnedThreePid) => boolean,
  ): Promise<Sent | undefined>;
}

export interface OwnerCodeRequest {
  /** An email address, or a phone number with `+` and its calling code. */
  readonly typed: string;
  readonly language: Language | undefined;
  readonly clientAddress: string | undefined;
  readonly caller: Caller;
}

/** The validation session that the code is of. Nobody but this server knows its client secret. */
export interface Sent extends OwnedThreePid {
  readonly sid: number;
}

export interface OwnerCodesDependencies {
  readonly emailValidation: Pick<EmailValidation, 'request'>;
  readonly phoneValidation: Pick<PhoneValidation, 'request'>;
  readonly parsePhoneNumber: (number: string, region: string) => Promise<PhoneNumber | undefined>;
  readonly random: Random;
  readonly logger: Logger;
}

/** Messages that are handed over at once, though nobody waits for them. */
const MOST_AT_ONCE = 100;
const RETRY_AFTER = 5000;
const SECRET_LENGTH = 32;
/** No region: a number has to begin with its calling code. */
const NOWHERE = 'ZZ';

type Send = (admitted: (sid: number) => void) => Promise<unknown>;

export function createOwnerCodes(deps: OwnerCodesDependencies): OwnerCodes {
  let sending = 0;

  /** Begins to send, and goes on with that by itself once nothing refuses it; the session's id. */
  async function begin(send: Send): Promise<number> {
    if (sending >= MOST_AT_ONCE) {
      throw new IdentityError('overloaded', 'Too many messages are being sent; try again later', {
        details: { retry_after_ms: RETRY_AFTER },
      });
    }
    sending++;
    const admitted = Promise.withResolvers<number>();
    let isAdmitted = false;
    send((sid) => {
      isAdmitted = true;
      admitted.resolve(sid);
    })
      .then(() => admitted.reject(new Error('Nothing was sent')))
      .catch((error: unknown) => {
        if (!isAdmitted) admitted.reject(error);
        // What relay and provider say is told elsewhere.
        else if (!(error instanceof IdentityError)) {
          logFailure(deps.logger, error, 'Sending a code for the owners’ page failed');
        }
      })
      .finally(() => {
        sending--;
      });
    return admitted.promise;
  }

  /** Each session is a new one: its secret is drawn here, and told to nobody. */
  const common = ({ caller }: OwnerCodeRequest) => ({
    clientSecret: deps.random.alphanumeric(SECRET_LENGTH),
    sendAttempt: 1,
    nextLink: undefined,
    caller,
  });

  const mail: OwnerCodes['send'] = async (request, isProven) => {
    const { typed: email, language, clientAddress } = request;
    const threepid = parseThreePid('email', email);
    if (threepid === undefined) throw new IdentityError('email-invalid', 'No email address');
    const owned = { medium: 'email', address: threepid.address } as const;
    if (isProven(owned)) return undefined;
    const sid = await begin((admitted) =>
      deps.emailValidation.request({
        ...common(request),
        ...{ email, language, clientAddress, brand: undefined, forOwner: true, admitted },
      }),
    );
    return { ...owned, sid };
  };

  const text: OwnerCodes['send'] = async (request, isProven) => {
    const { typed: phoneNumber } = request;
    const phone = await deps.parsePhoneNumber(phoneNumber, NOWHERE);
    if (phone === undefined) throw new IdentityError('phone-number-invalid', 'No phone number');
    const owned = { medium: 'msisdn', address: phone.msisdn } as const;
    if (isProven(owned)) return undefined;
    const sid = await begin((admitted) =>
      deps.phoneValidation.request({
        ...common(request),
        ...{ phoneNumber, country: NOWHERE, admitted },
      }),
    );
    return { ...owned, sid };
  };

  return {
    send: (request, isProven) => (request.typed.includes('@') ? mail : text)(request, isProven),
  };
}
