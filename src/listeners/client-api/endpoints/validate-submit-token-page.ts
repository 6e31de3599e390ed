import type { Validation } from '../../../identity/validation/validation.ts';
import type { Medium } from '../../../model/addresses.ts';
import { preferredLanguage } from '../../../model/languages.ts';
import type { PageFailure, ResultPage } from '../../../model/result-page.ts';
import {
  type Endpoint,
  endpoint,
  PageAnswer,
  RedirectAnswer,
  type RequestContext,
} from '../../http/endpoint.ts';
import { toApiError } from '../../http/errors.ts';
import { clientSecret, sid, text } from '../../http/fields.ts';
import { type RenderPage, wayToRoot } from './page-context.ts';

const SERVLETS: Record<Medium, string> = {
  email: 'EmailValidateCodeServlet',
  msisdn: 'MsisdnValidateCodeServlet',
};

/** What failed, by errcode; anything else is wrong with the link itself. */
const FAILURES: Readonly<Record<string, PageFailure>> = {
  M_NO_VALID_SESSION: 'unknown',
  M_TOKEN_INCORRECT: 'wrong',
};

export interface SubmitTokenPages {
  readonly validation: Validation;
  readonly renderPage: RenderPage;
  /** Whether the link opens a page that asks for a click: scanners of mail follow links. */
  readonly confirmFirst: boolean;
}

interface Given {
  readonly sid: number;
  readonly client_secret: string;
  readonly token: string;
}

/** `GET validate/MEDIUM/submitToken`: the link in the message, opened in a browser. */
export function validateSubmitTokenPages(
  medium: Medium,
  { validation, renderPage, confirmFirst }: SubmitTokenPages,
): Endpoint[] {
  const page = async (
    status: number,
    context: RequestContext,
    content: Pick<ResultPage, 'outcome' | 'failure' | 'shownAddress' | 'action'>,
  ): Promise<PageAnswer> => {
    const { html, contentSecurityPolicy } = await renderPage({
      brand: context.brand,
      language: preferredLanguage(context.acceptLanguage),
      medium,
      root: wayToRoot(context),
      ...content,
    });
    return new PageAnswer(status, html, contentSecurityPolicy);
  };
  /** The page of what went wrong; the address is that of an expired link. */
  async function failure(error: unknown, context: RequestContext, given?: Given) {
    const { status, errcode } = toApiError(error, { version: context.version });
    if (status >= 500) throw error;
    if (errcode !== 'M_SESSION_EXPIRED') {
      const why = FAILURES[errcode] ?? 'incomplete';
      return page(status, context, { outcome: 'failed', failure: why });
    }
    const shownAddress = given && (await shownTo(given));
    return page(status, context, { outcome: 'expired', shownAddress });
  }

  const shownTo = ({ sid: id, client_secret, token }: Given) =>
    validation.shownAddress(id, client_secret, token);

  const path = `/validate/${medium}/submitToken`;
  const common = {
    servlet: SERVLETS[medium],
    answer: undefined,
    fields: { sid, client_secret: clientSecret, token: text },
    onError: (error: unknown, context: RequestContext) => failure(error, context),
  } as const;
  const submits = {
    faults: ['session-expired', 'session-unknown', 'token-incorrect'],
    async handle(args: Given, context: RequestContext) {
      try {
        const { nextLink, shownAddress } = await validation.submit(
          args.sid,
          args.client_secret,
          args.token,
        );
        if (nextLink !== undefined) return new RedirectAnswer(nextLink);
        return await page(200, context, { outcome: 'proven', shownAddress });
      } catch (error) {
        return failure(error, context, args);
      }
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
      async handle(args, context) {
        await validation.noteOpened(args.sid, args.client_secret);
        return page(200, context, {
          outcome: 'ask',
          shownAddress: await shownTo(args),
          // Relative, whatever a proxy has put before it.
          action: `submitToken/confirm?${context.signed.uri.split('?')[1] ?? ''}`,
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
