import type { EmailValidation } from '../../../identity/validation/email-validation.ts';
import { preferredLanguage } from '../../../model/languages.ts';
import { endpoint } from '../../http/endpoint.ts';
import { clientSecret, integer, optional, text } from '../../http/fields.ts';
import { aBoolean, anObject, aString } from '../../http/schema.ts';

/** `POST validate/email/requestToken`: opens a session and mails a token. */
export const validateEmailRequestToken = (validation: EmailValidation) =>
  endpoint({
    method: 'POST',
    path: '/validate/email/requestToken',
    servlet: 'EmailRequestCodeServlet',
    needs: 'accepted-terms',
    summary: 'Mail a token to an address',
    faults: [
      'email-invalid',
      'email-not-sent',
      'limit-exceeded',
      'overloaded',
      'parameter-invalid',
    ],
    answer: anObject({ sid: aString }, { success: aBoolean }),
    fields: {
      email: text,
      client_secret: clientSecret,
      send_attempt: integer,
      next_link: optional(text),
    },
    async handle(args, context) {
      const { version, brand, clientAddress, caller } = context;
      const sid = await validation.request({
        email: args.email,
        clientSecret: args.client_secret,
        sendAttempt: args.send_attempt,
        nextLink: args.next_link,
        brand,
        language: preferredLanguage(context.acceptLanguage),
        clientAddress,
        caller,
      });
      // The oldest clients of v1 look for `success`.
      return version === 'v1' ? { success: true, sid: String(sid) } : { sid: String(sid) };
    },
  });
