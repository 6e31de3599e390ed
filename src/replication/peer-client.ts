import type { OutboundClient } from '../platform/outbound/outbound.ts';
import { codeOf, OutboundError } from '../platform/outbound/outbound-error.ts';
import { type Certificates, identityOf } from './certificates.ts';

/** What a peer said to a push. */
export type PushAnswer =
  | { readonly kind: 'accepted' }
  /** It does not take these associations. */
  | { readonly kind: 'refused'; readonly ids: readonly number[] }
  | { readonly kind: 'too-large'; readonly reason: string }
  /** The connection broke, which is also how some say "too large". */
  | { readonly kind: 'dropped'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string };

/** Pushes to peers, showing this server's certificate and checking theirs against the URL's host. */
export interface PeerClient {
  /** Never rejects. */
  push(url: string, body: string, signal: AbortSignal): Promise<PushAnswer>;
  /** Uses these from the next connection on. */
  reload(certificates: Certificates): void;
}

/** Milliseconds for a whole push: a peer checks every signature before it answers. */
const PUSH_TIMEOUT = 60_000;
const MAX_ANSWER_BYTES = 256 * 1024;

function parseError(body: string): { errcode: string; failedIds: number[] } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    parsed = undefined;
  }
  const { errcode, failed_ids: ids } = Object(parsed) as Record<string, unknown>;
  return {
    // A peer's words go into the log only if they look like what they should be.
    errcode: typeof errcode === 'string' && /^[A-Z_]{1,64}$/.test(errcode) ? errcode : '',
    failedIds: (Array.isArray(ids) ? ids : []).map(Number).filter(Number.isSafeInteger),
  };
}

function toPushAnswer(status: number, body: string): PushAnswer {
  if (status >= 200 && status < 300) return { kind: 'accepted' };
  const { errcode, failedIds } = parseError(body);
  const reason = `it answered ${`${status} ${errcode}`.trim()}`;
  if (status === 413 || (status === 400 && errcode === 'M_TOO_LARGE')) {
    return { kind: 'too-large', reason };
  }
  if (status === 400 && errcode === 'M_VERIFICATION_FAILED' && failedIds.length > 0) {
    return { kind: 'refused', ids: failedIds };
  }
  return { kind: 'failed', reason };
}

/** Whether the connection broke: the push may have been too large for the peer. */
const isDropped = ({ kind, cause }: OutboundError) =>
  kind === 'unreachable' && /^(ECONNRESET|EPIPE)$/.test(codeOf(cause));

const MAX_REASON = 300;

/** What failed, in words for the operator: of a certificate also what is wrong with it. */
function reasonOf({ message, kind, cause }: OutboundError): string {
  const more = kind === 'tls' && cause instanceof Error ? `: ${cause.message}` : '';
  return `${message}${more}`.slice(0, MAX_REASON);
}

/** As it is where it is not percent-encoded. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The URL without the user and password in it, which go into a header (RFC 7617). */
function withoutCredentials(text: string) {
  const url = new URL(text);
  const credentials = `${decoded(url.username)}:${decoded(url.password)}`;
  url.username = '';
  url.password = '';
  const basic = `Basic ${Buffer.from(credentials).toString('base64')}`;
  return { href: url.href, authorization: credentials === ':' ? {} : { authorization: basic } };
}

/** Pushes go out by the one safe client; their URLs are the operator's, so that no address is refused. */
export function createPeerClient(outbound: OutboundClient, certificates: Certificates): PeerClient {
  let identity = identityOf(certificates);
  return {
    async push(url, body, signal) {
      if (!/^https:/i.test(url) || !URL.canParse(url)) {
        return {
          kind: 'failed',
          reason: 'its URL does not begin with https://; give it one that does (peers add --url)',
        };
      }
      const { href, authorization } = withoutCredentials(url);
      try {
        const answer = await outbound.request({
          method: 'POST',
          url: href,
          body,
          identity,
          signal,
          room: 'peers',
          configured: true,
          // Sydent wants exactly this.
          headers: { 'content-type': 'application/json', ...authorization },
          // The peer ignores what it gets twice.
          repeatable: true,
          time: { connect: PUSH_TIMEOUT, answer: PUSH_TIMEOUT, total: PUSH_TIMEOUT },
          maxBytes: MAX_ANSWER_BYTES,
          // The status says it all, but for what is refused.
          bodyIsOptional: true,
        });
        return toPushAnswer(answer.status, answer.body.toString('utf8'));
      } catch (error) {
        if (!(error instanceof OutboundError)) {
          if (signal.aborted) return { kind: 'failed', reason: 'this server is stopping' };
          throw error;
        }
        return { kind: isDropped(error) ? 'dropped' : 'failed', reason: reasonOf(error) };
      }
    },
    reload(renewed) {
      identity = identityOf(renewed);
    },
  };
}
