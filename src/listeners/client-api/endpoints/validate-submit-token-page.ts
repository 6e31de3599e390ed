import type { Medium } from '../../../identity/addresses.ts';
import type { Validation } from '../../../identity/validation.ts';
import { type Answer, endpoint, PageAnswer, RedirectAnswer } from '../../frame/endpoint.ts';
import { toApiError } from '../../frame/errors.ts';
import { clientSecret, sid, text } from '../../frame/fields.ts';

const SERVLETS: Record<Medium, string> = {
  email: 'EmailValidateCodeServlet',
  msisdn: 'MsisdnValidateCodeServlet',
};

const SUCCESS: Record<Medium, string> = {
  email: 'Your email address is confirmed. You can go back to your app now.',
  msisdn: 'Your phone number is confirmed. You can go back to your app now.',
};

/** What a person can do about it, by errcode. */
const FAILURES: Readonly<Record<string, string>> = {
  M_SESSION_EXPIRED: 'This link has expired. Please ask for a new message in your app.',
  M_NO_VALID_SESSION: 'This link is not valid any more. Please ask for a new message in your app.',
  M_TOKEN_INCORRECT: 'This link is not the right one. Please open the newest message you got.',
};
const INCOMPLETE = 'This link is not complete. Please copy the whole link from the message.';

export interface ResultPage {
  readonly brand: string | undefined;
  readonly success: boolean;
  readonly message: string;
}

export type RenderResultPage = (
  page: ResultPage,
) => Promise<{ html: string; contentSecurityPolicy: string }>;

/** `GET validate/MEDIUM/submitToken`: the link in the message, opened in a browser. */
export const validateSubmitTokenPage = (
  medium: Medium,
  validation: Validation,
  render: RenderResultPage,
) => {
  const page = async (status: number, result: ResultPage): Promise<Answer> => {
    const { html, contentSecurityPolicy } = await render(result);
    return new PageAnswer(status, html, contentSecurityPolicy);
  };
  return endpoint({
    method: 'GET',
    path: `/validate/${medium}/submitToken`,
    servlet: SERVLETS[medium],
    summary: 'The link in the message',
    faults: ['session-expired', 'session-unknown', 'token-incorrect'],
    answer: undefined,
    fields: { sid, client_secret: clientSecret, token: text },
    changesOnGet: true,
    async handle(args, { brand }) {
      const { nextLink } = await validation.submit(args.sid, args.client_secret, args.token);
      if (nextLink !== undefined) return new RedirectAnswer(nextLink);
      return page(200, { brand, success: true, message: SUCCESS[medium] });
    },
    onError(error, { brand, version }) {
      const { status, errcode } = toApiError(error, { version });
      if (status >= 500) throw error;
      return page(status, { brand, success: false, message: FAILURES[errcode] ?? INCOMPLETE });
    },
  });
};
