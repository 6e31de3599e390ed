import type { Refusals } from '../../../identity/invitations/refusals.ts';
import { IdentityError } from '../../../model/errors.ts';
import { preferredLanguage } from '../../../model/languages.ts';
import type { ResultPage } from '../../../model/result-page.ts';
import { type Endpoint, endpoint, PageAnswer, type RequestContext } from '../../http/endpoint.ts';
import { toApiError } from '../../http/errors.ts';
import { field, text } from '../../http/fields.ts';
import { type RenderPage, wayToRoot } from './page-context.ts';

export interface RefuseInvitationsServices {
  readonly refusals: Refusals;
  readonly renderPage: RenderPage;
}

const PATH = '/refuse-invitations';

/** What mail programs send for their reader (RFC 8058, section 3.1), and our page, too. */
const ONE_CLICK = { name: 'List-Unsubscribe', value: 'One-Click' } as const;
const oneClick = field(ONE_CLICK.value, { type: 'string', enum: [ONE_CLICK.value] }, (raw) =>
  raw === ONE_CLICK.value ? raw : undefined,
);

/** Bytes: mail programs send one parameter. */
const BODY_LIMIT = 16 * 1024;

/** The link in an invitation by which nobody is invited by mail any more: a page with a button, and what that does. */
export function refuseInvitations({ refusals, renderPage }: RefuseInvitationsServices): Endpoint[] {
  const page = async (
    status: number,
    context: RequestContext,
    content: Pick<ResultPage, 'outcome' | 'failure' | 'action'>,
  ) => {
    const { html, contentSecurityPolicy } = await renderPage({
      brand: context.brand,
      language: preferredLanguage(context.acceptLanguage),
      medium: 'email',
      root: wayToRoot(context),
      ...content,
    });
    return new PageAnswer(status, html, contentSecurityPolicy);
  };
  const common = {
    path: PATH,
    servlet: 'RefuseInvitationsServlet',
    answer: undefined,
    faults: ['token-incorrect'],
    onError(error: unknown, context: RequestContext) {
      const { status } = toApiError(error, { version: context.version });
      if (status >= 500) throw error;
      return page(status, context, { outcome: 'failed', failure: 'incomplete' });
    },
  } as const;
  const requireOurs = (isOurs: boolean) => {
    if (!isOurs) throw new IdentityError('token-incorrect', 'This link was not made here');
  };
  return [
    // Only asks, as scanners of mail follow links.
    endpoint({
      ...common,
      method: 'GET',
      summary: 'The link in an invitation by which its owner refuses more: asks for a click',
      fields: { token: text },
      async handle({ token }, context) {
        const { brand } = context;
        requireOurs(await refusals.isToken(token));
        const query = new URLSearchParams({
          token,
          [ONE_CLICK.name]: ONE_CLICK.value,
          ...(brand !== undefined && { brand }),
        });
        // Relative, whatever a proxy has put before it.
        const action = `refuse-invitations?${query}`;
        return page(200, context, { outcome: 'refuse', action });
      },
    }),
    endpoint({
      ...common,
      method: 'POST',
      summary: 'Has no more invitations mailed to whom the link was (RFC 8058)',
      argumentStyle: 'v1',
      bodyLimit: BODY_LIMIT,
      fields: { token: text, [ONE_CLICK.name]: oneClick },
      async handle(args, context) {
        requireOurs(await refusals.refuse(args.token));
        return page(200, context, { outcome: 'refused' });
      },
    }),
  ];
}
