import type { Validation } from '../../../identity/validation/validation.ts';
import type { Medium } from '../../../model/addresses.ts';
import {
  type Endpoint,
  endpoint,
  PageAnswer,
  RedirectAnswer,
  type RequestContext,
} from '../../http/endpoint.ts';
import { toApiError } from '../../http/errors.ts';
import { clientSecret, sid, text } from '../../http/fields.ts';

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

/** Before the click, where one is asked for. */
const QUESTION: Record<Medium, string> = {
  email: 'Somebody, most likely you, wants to use this email address with Matrix. Is that right?',
  msisdn: 'Somebody, most likely you, wants to use this phone number with Matrix. Is that right?',
};

export type RenderPage = (page: {
  readonly brand: string | undefined;
  readonly message: string;
  readonly action?: string;
}) => Promise<{ html: string; contentSecurityPolicy: string }>;

export interface SubmitTokenPages {
  readonly validation: Validation;
  readonly renderPage: RenderPage;
  /** Whether the link opens a page that asks for a click: scanners of mail follow links. */
  readonly confirmFirst: boolean;
}

/** `GET validate/MEDIUM/submitToken`: the link in the message, opened in a browser. */
export function validateSubmitTokenPages(
  medium: Medium,
  { validation, renderPage, confirmFirst }: SubmitTokenPages,
): Endpoint[] {
  const page = async (status: number, content: Parameters<RenderPage>[0]): Promise<PageAnswer> => {
    const { html, contentSecurityPolicy } = await renderPage(content);
    return new PageAnswer(status, html, contentSecurityPolicy);
  };
  const path = `/validate/${medium}/submitToken`;
  const common = {
    servlet: SERVLETS[medium],
    answer: undefined,
    fields: { sid, client_secret: clientSecret, token: text },
    onError(error: unknown, { brand, version }: RequestContext) {
      const { status, errcode } = toApiError(error, { version });
      if (status >= 500) throw error;
      return page(status, { brand, message: FAILURES[errcode] ?? INCOMPLETE });
    },
  } as const;
  const submits = {
    faults: ['session-expired', 'session-unknown', 'token-incorrect'],
    async handle(
      args: { sid: number; client_secret: string; token: string },
      { brand }: RequestContext,
    ) {
      const { nextLink } = await validation.submit(args.sid, args.client_secret, args.token);
      if (nextLink !== undefined) return new RedirectAnswer(nextLink);
      return page(200, { brand, message: SUCCESS[medium] });
    },
  } as const;

  if (!confirmFirst) {
    const summary = 'The link in the message';
    return [endpoint({ ...common, ...submits, method: 'GET', path, summary, changesOnGet: true })];
  }
  return [
    endpoint({
      ...common,
      method: 'GET',
      path,
      summary: 'The link in the message: asks for a click',
      async handle(args, { brand, signed }) {
        await validation.noteOpened(args.sid, args.client_secret);
        return page(200, {
          brand,
          message: QUESTION[medium],
          // Relative, whatever a proxy has put before it.
          action: `submitToken/confirm?${signed.uri.split('?')[1] ?? ''}`,
        });
      },
    }),
    endpoint({
      ...common,
      ...submits,
      method: 'POST',
      path: `${path}/confirm`,
      summary: 'The click on the page of the link in the message',
      takesNoBody: true,
    }),
  ];
}
