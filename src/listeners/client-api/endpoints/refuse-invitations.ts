import type { Refusals } from '../../../identity/invitations/refusals.ts';
import type { ServerKeys } from '../../../identity/server-keys.ts';
import { IdentityError } from '../../../model/errors.ts';
import { type Endpoint, endpoint, PageAnswer, type RequestContext } from '../../http/endpoint.ts';
import { toApiError } from '../../http/errors.ts';
import { field, text } from '../../http/fields.ts';
import type { RenderPage } from './validate-submit-token-page.ts';

export interface RefuseInvitationsServices {
  readonly refusals: Refusals;
  readonly keys: Pick<ServerKeys, 'serverName'>;
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

const BROKEN = 'This link is not complete. Please copy the whole link from the message.';
const QUESTION =
  'Do you want no more invitations by mail at your address? You can use the address with Matrix all the same.';

/** The link in an invitation by which nobody is invited by mail any more: a page with a button, and what that does. */
export function refuseInvitations({
  refusals,
  keys,
  renderPage,
}: RefuseInvitationsServices): Endpoint[] {
  const page = async (status: number, content: Parameters<RenderPage>[0]) => {
    const { html, contentSecurityPolicy } = await renderPage(content);
    return new PageAnswer(status, html, contentSecurityPolicy);
  };
  const common = {
    path: PATH,
    servlet: 'RefuseInvitationsServlet',
    answer: undefined,
    faults: ['token-incorrect'],
    onError(error: unknown, { brand, version }: RequestContext) {
      const { status } = toApiError(error, { version });
      if (status >= 500) throw error;
      return page(status, { brand, message: BROKEN });
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
      async handle({ token }, { brand }) {
        requireOurs(await refusals.isToken(token));
        const query = new URLSearchParams({
          token,
          [ONE_CLICK.name]: ONE_CLICK.value,
          ...(brand !== undefined && { brand }),
        });
        // Relative, whatever a proxy has put before it.
        return page(200, { brand, message: QUESTION, action: `refuse-invitations?${query}` });
      },
    }),
    endpoint({
      ...common,
      method: 'POST',
      summary: 'Has no more invitations mailed to whom the link was (RFC 8058)',
      argumentStyle: 'v1',
      bodyLimit: BODY_LIMIT,
      fields: { token: text, [ONE_CLICK.name]: oneClick },
      async handle(args, { brand }) {
        requireOurs(await refusals.refuse(args.token));
        const message = `No more invitations are mailed to your address from here. To have them again, ask who runs ${keys.serverName}.`;
        return page(200, { brand, message });
      },
    }),
  ];
}
