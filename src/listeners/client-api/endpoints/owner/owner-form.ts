import type { OwnerNotice, OwnerPage } from '../../../../identity/owners/owner-page.ts';
import { formTokenOf } from '../../../../identity/owners/owner-tokens.ts';
import type { Owners } from '../../../../identity/owners/owners.ts';
import { MEDIA, type Medium } from '../../../../model/addresses.ts';
import { IdentityError, type IdentityFault } from '../../../../model/errors.ts';
import { preferredLanguage } from '../../../../model/languages.ts';
import type { Arguments, Fields } from '../../../http/arguments.ts';
import {
  type Endpoint,
  endpoint,
  PageAnswer,
  RedirectAnswer,
  type RequestContext,
} from '../../../http/endpoint.ts';
import { toApiError } from '../../../http/errors.ts';
import { field, text } from '../../../http/fields.ts';
import { wayToRoot } from '../page-context.ts';
import { type OwnerCookie, requireOwnForm } from './browser.ts';

export type RenderOwnerPage = (
  page: OwnerPage,
) => Promise<{ html: string; contentSecurityPolicy: string }>;

/** What all endpoints of the owners' page work with. */
export interface OwnerPageServices {
  readonly owners: Owners;
  readonly renderOwnerPage: RenderOwnerPage;
  readonly cookie: OwnerCookie;
}

/** Under the root of what is this server's own. */
export const OWNER_PATH = '/mine';
/** The name of these in the metric that dashboards know. */
const SERVLET = 'OwnerPageServlet';
/** Bytes: forms are short. */
const BODY_LIMIT = 16 * 1024;

/** An address that a form or link of the page names. */
export const ADDRESS_FIELDS = {
  medium: field('one of email, msisdn', { type: 'string', enum: [...MEDIA] }, (raw) =>
    MEDIA.find((medium) => medium === raw),
  ),
  address: text,
} satisfies Fields;
export type AddressArguments = { readonly medium: Medium; readonly address: string };

/** What the page says of a fault; of anything else that is refused, that it does not fit the page any more. */
const NOTICES: Readonly<Partial<Record<IdentityFault, OwnerNotice>>> = {
  'email-invalid': 'address',
  'parameter-invalid': 'address',
  'phone-number-invalid': 'number',
  'destination-rejected': 'number',
  'sms-off': 'sms_off',
  'limit-exceeded': 'limit',
  overloaded: 'busy',
  'token-incorrect': 'code',
  'session-expired': 'expired',
};

const noticeOf = (error: unknown): OwnerNotice =>
  (error instanceof IdentityError ? NOTICES[error.fault] : undefined) ?? 'ended';

/** Other sites are told nothing of where a reader was; this page's own forms say that they are its own. */
const HEADERS = {
  'referrer-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
};

/** The page as a browser is to see it now; one without a token is given one. */
export async function ownerPage(
  { owners, renderOwnerPage, cookie }: OwnerPageServices,
  context: RequestContext,
  {
    status = 200,
    notice,
    token = cookie.tokenIn(context),
  }: {
    readonly status?: number;
    readonly notice?: OwnerNotice;
    /** Where it is not the cookie's. */
    readonly token?: string | undefined;
  } = {},
): Promise<PageAnswer> {
  const current = token ?? owners.newToken();
  const { html, contentSecurityPolicy } = await renderOwnerPage({
    language: preferredLanguage(context.acceptLanguage),
    root: wayToRoot(context),
    formToken: formTokenOf(current),
    notice,
    seen: await owners.seen(current),
  });
  const given = token === undefined ? cookie.set(current) : {};
  return new PageAnswer(status, html, contentSecurityPolicy, { ...HEADERS, ...given });
}

/** What is refused, as the page with a word on it. */
async function refusedPage(
  services: OwnerPageServices,
  error: unknown,
  context: RequestContext,
): Promise<PageAnswer> {
  const { status } = toApiError(error, { version: context.version });
  if (status >= 500 && !(error instanceof IdentityError)) throw error;
  return ownerPage(services, context, { status, notice: noticeOf(error) });
}

/** Back to the page, which a reload shows anew without doing anything again. */
export const backToPage = (
  context: RequestContext,
  headers: Readonly<Record<string, string>> = {},
) => new RedirectAnswer(`${wayToRoot(context)}cognomen${OWNER_PATH}`, { ...HEADERS, ...headers });

/** A form of the page, which a browser sends from there. */
export function ownerForm<const F extends Fields>(
  services: OwnerPageServices,
  form: {
    /** Behind the page's own. */
    readonly path: string;
    readonly summary: string;
    readonly faults: readonly IdentityFault[];
    readonly fields: F;
    /** @param token the browser's */
    handle(
      args: Arguments<F>,
      token: string,
      context: RequestContext,
    ): Promise<PageAnswer | RedirectAnswer>;
  },
): Endpoint {
  return endpoint({
    method: 'POST',
    path: `${OWNER_PATH}${form.path}`,
    servlet: SERVLET,
    summary: form.summary,
    answer: undefined,
    argumentStyle: 'v1',
    bodyLimit: BODY_LIMIT,
    faults: ['forbidden', ...form.faults],
    fields: { form: text, ...form.fields },
    handle: async (args, context) => {
      const given = args as Arguments<F> & { readonly form: string };
      const token = requireOwnForm(services.cookie, context, given.form);
      return form.handle(given, token, context);
    },
    onError: (error, context) => refusedPage(services, error, context),
  });
}

/** What is done about one address, and nothing else; then back to the page. */
export const ownerAction = <const F extends Fields>(
  services: OwnerPageServices,
  action: {
    readonly path: string;
    readonly summary: string;
    readonly fields: F;
    act(token: string, threepid: AddressArguments, args: Arguments<F>): Promise<void>;
  },
): Endpoint =>
  ownerForm(services, {
    path: action.path,
    summary: action.summary,
    faults: ['session-unknown'],
    fields: { ...ADDRESS_FIELDS, ...action.fields },
    handle: async (args, token, context) => {
      const given = args as AddressArguments & Arguments<F>;
      await action.act(token, { medium: given.medium, address: given.address }, given);
      return backToPage(context);
    },
  });

/** What a browser gets by a link. */
export const ownerGet = <const F extends Fields>(
  services: OwnerPageServices,
  page: Pick<
    Parameters<typeof endpoint<F, undefined>>[0],
    'path' | 'summary' | 'faults' | 'fields' | 'handle'
  >,
): Endpoint =>
  endpoint({
    ...page,
    method: 'GET',
    path: `${OWNER_PATH}${page.path}`,
    servlet: SERVLET,
    answer: undefined,
    onError: (error, context) => refusedPage(services, error, context),
  });
