import { Fault } from './api.ts';
import { startAnew } from './router.ts';
import { TEXTS } from './texts.ts';

/** What the server says of the provider of OpenID Connect that vouches for operators. */
export interface Offer {
  readonly issuer: string;
  readonly client_id: string;
  readonly scope: string;
  readonly resource?: string | undefined;
}

/** What the provider gave. The second is not kept over a reload. */
export interface Tokens {
  readonly access: string;
  readonly refresh: string | undefined;
}

interface Endpoints {
  readonly authorization: string;
  readonly token: string;
}

/** What was begun here: the answer is for nobody else. */
interface Begun {
  readonly state: string;
  readonly verifier: string;
}

const BEGUN = 'cognomen-sign-in';
const T = TEXTS.signIn;

const base64url = (bytes: Uint8Array) =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');

const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

/** Where the provider sends people back to: here, without what else is in the URL. */
const redirectUri = () => new URL('.', document.baseURI).href;

const textIn = (value: unknown, name: string): string | undefined => {
  const member = (Object(value) as Record<string, unknown>)[name];
  return typeof member === 'string' ? member : undefined;
};

/** @throws Fault where the provider cannot be asked, or is another, or would have the code sent elsewhere */
async function endpointsOf({ issuer }: Offer): Promise<Endpoints> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const said: unknown = await fetch(url, { credentials: 'omit' })
    .then((answer) => answer.json())
    .catch(() => undefined);
  const authorization = textIn(said, 'authorization_endpoint');
  const token = textIn(said, 'token_endpoint');
  const isItself = textIn(said, 'issuer') === issuer;
  if (!isItself || authorization === undefined || token === undefined) {
    throw new Fault(0, T.noProvider);
  }
  const { protocol } = new URL(authorization);
  if (protocol !== 'https:' && protocol !== 'http:') throw new Fault(0, T.noProvider);
  return { authorization, token };
}

/** Goes to the provider, which sends back here. @throws Fault */
export async function begin(offer: Offer): Promise<void> {
  // Over plain http from another machine there is no WebCrypto, and no provider would send back there.
  if (!isSecureContext) throw new Fault(0, T.notSecure);
  const { authorization } = await endpointsOf(offer);
  const begun: Begun = { state: random(), verifier: random() };
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(begun.verifier));
  const url = new URL(authorization);
  const parameters = {
    response_type: 'code',
    // Behind the #, which goes to no server and into no log.
    response_mode: 'fragment',
    client_id: offer.client_id,
    redirect_uri: redirectUri(),
    scope: offer.scope,
    state: begun.state,
    code_challenge: base64url(new Uint8Array(hash)),
    code_challenge_method: 'S256',
    ...(offer.resource !== undefined && { resource: offer.resource }),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  sessionStorage.setItem(BEGUN, JSON.stringify(begun));
  location.assign(url);
}

/** @throws Fault */
async function tokensFor(offer: Offer, grant: Record<string, string>): Promise<Tokens> {
  const { token } = await endpointsOf(offer);
  const form = { ...grant, client_id: offer.client_id };
  const answer: unknown = await fetch(token, {
    method: 'POST',
    body: new URLSearchParams(
      offer.resource === undefined ? form : { ...form, resource: offer.resource },
    ),
    credentials: 'omit',
  })
    .then((response) => response.json())
    .catch(() => undefined);
  const access = textIn(answer, 'access_token');
  if (access === undefined) {
    const why = textIn(answer, 'error_description') ?? textIn(answer, 'error');
    throw new Fault(0, why === undefined ? T.noProvider : T.refused(why));
  }
  return { access, refresh: textIn(answer, 'refresh_token') };
}

/** What the provider sent back, which is then gone from the URL; undefined where it sent nothing. */
export function sentBack(): URLSearchParams | undefined {
  const answer = new URLSearchParams(location.hash.slice(1));
  if (!answer.has('state') || !(answer.has('code') || answer.has('error'))) return undefined;
  startAnew();
  return answer;
}

/** Gets the tokens for the answer of the provider. @throws Fault where it is no answer to what was begun in this tab */
export async function finish(offer: Offer, answer: URLSearchParams): Promise<Tokens> {
  const kept = sessionStorage.getItem(BEGUN);
  sessionStorage.removeItem(BEGUN);
  const begun = kept === null ? undefined : (JSON.parse(kept) as Begun);
  const from = answer.get('iss');
  const isAnswer = begun?.state === answer.get('state') && (from === null || from === offer.issuer);
  if (begun === undefined || !isAnswer) throw new Fault(0, T.notBegun);
  const code = answer.get('code');
  if (code === null) {
    throw new Fault(0, T.refused(answer.get('error_description') ?? answer.get('error') ?? ''));
  }
  return tokensFor(offer, {
    grant_type: 'authorization_code',
    code,
    code_verifier: begun.verifier,
    redirect_uri: redirectUri(),
  });
}

/** Tokens for those that ended. @throws Fault */
export const renewed = (offer: Offer, refresh: string): Promise<Tokens> =>
  tokensFor(offer, { grant_type: 'refresh_token', refresh_token: refresh });
