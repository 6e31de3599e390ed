import type { PhoneValidation } from '../../../identity/validation/phone-validation.ts';
import { endpoint } from '../../http/endpoint.ts';
import { clientSecret, integer, optional, text } from '../../http/fields.ts';
import { aBoolean, anObject, aString } from '../../http/schema.ts';

/** `POST validate/msisdn/requestToken`: opens a session and sends a token in a text message. */
export const validateMsisdnRequestToken = (validation: PhoneValidation) =>
  endpoint({
    method: 'POST',
    path: '/validate/msisdn/requestToken',
    servlet: 'MsisdnRequestCodeServlet',
    needs: 'accepted-terms',
    summary: 'Send a token to a phone number in a text message',
    faults: [
      'destination-rejected',
      'limit-exceeded',
      'overloaded',
      'parameter-invalid',
      'phone-number-invalid',
      'sms-not-sent',
      'sms-off',
    ],
    answer: anObject({ success: aBoolean, sid: aString, msisdn: aString, intl_fmt: aString }),
    fields: {
      phone_number: text,
      country: text,
      client_secret: clientSecret,
      send_attempt: integer,
      next_link: optional(text),
    },
    async handle(args, { caller }) {
      const { sid, phone } = await validation.request({
        phoneNumber: args.phone_number,
        country: args.country,
        clientSecret: args.client_secret,
        sendAttempt: args.send_attempt,
        nextLink: args.next_link,
        caller,
      });
      return {
        success: true,
        sid: String(sid),
        msisdn: phone.msisdn,
        intl_fmt: phone.international,
      };
    },
  });
