import type { Validation } from '../../../identity/validation/validation.ts';
import type { Medium } from '../../../model/addresses.ts';
import { IdentityError } from '../../../model/errors.ts';
import { endpoint, JsonAnswer } from '../../http/endpoint.ts';
import { toApiError } from '../../http/errors.ts';
import { clientSecret, sid, text } from '../../http/fields.ts';
import { aBoolean, anObject, aString } from '../../http/schema.ts';

const SERVLETS: Record<Medium, string> = {
  email: 'EmailValidateCodeServlet',
  msisdn: 'MsisdnValidateCodeServlet',
};

// In v1 a failure is an answer like any other, and homeservers pass only 2xx on to their users.
const STATUS = { v1: 200, v2: 400 } as const;
const STATUSES = {
  'session-expired': STATUS,
  'session-unknown': STATUS,
  'token-incorrect': STATUS,
};

/** `POST validate/MEDIUM/submitToken`: proves the address with the token that was sent to it. */
export const validateSubmitToken = (medium: Medium, validation: Validation) =>
  endpoint({
    method: 'POST',
    path: `/validate/${medium}/submitToken`,
    servlet: SERVLETS[medium],
    needs: 'accepted-terms',
    summary: 'Prove an address with the token sent to it',
    faults: ['session-expired', 'session-unknown', 'token-incorrect'],
    answer: anObject({ success: aBoolean }, { errcode: aString, error: aString }),
    statuses: STATUSES,
    fields: { sid, client_secret: clientSecret, token: text },
    async handle(args) {
      await validation.submit(args.sid, args.client_secret, args.token);
      return { success: true };
    },
    onError(error, { version }) {
      if (!(error instanceof IdentityError)) throw error;
      const { status, body } = toApiError(error, { version, statuses: STATUSES });
      return new JsonAnswer(status, { success: false, ...body });
    },
  });
