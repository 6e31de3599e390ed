import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { VERSION } from '../platform/version.ts';
import { type Certificates, tlsOptions } from './certificates.ts';

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
  close(): void;
}

/** Milliseconds for a whole push: a peer checks every signature before it answers. */
const PUSH_TIMEOUT = 60_000;
const MOST_ANSWER_BYTES = 256 * 1024;

function createAgent(certificates: Certificates): Agent {
  return new Agent({
    ...tlsOptions(certificates),
    rejectUnauthorized: true,
    keepAlive: true,
    // By peer; pushes to one follow one another.
    maxSockets: 1,
    maxFreeSockets: 1,
  });
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MOST_ANSWER_BYTES) {
      response.destroy();
      return '';
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

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

const isDropped = (error: unknown) =>
  error instanceof Error && 'code' in error && /^(ECONNRESET|EPIPE)$/.test(String(error.code));

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof Error && cause.name === 'TimeoutError')
    return `it did not answer within ${PUSH_TIMEOUT / 1000} s`;
  return error.message.slice(0, 300);
}

export function createPeerClient(certificates: Certificates): PeerClient {
  let agent = createAgent(certificates);

  async function exchange(url: string, body: string, signal: AbortSignal): Promise<PushAnswer> {
    const bytes = Buffer.from(body);
    const sent = request(url, {
      method: 'POST',
      agent,
      signal: AbortSignal.any([signal, AbortSignal.timeout(PUSH_TIMEOUT)]),
      headers: {
        // Sydent wants exactly this.
        'content-type': 'application/json',
        'content-length': bytes.length,
        'user-agent': `Cognomen/${VERSION}`,
      },
    });
    // It may also break after it was answered, when nobody waits for it any more.
    sent.on('error', () => {});
    try {
      sent.end(bytes);
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      return toPushAnswer(response.statusCode ?? 0, await readBody(response));
    } catch (error) {
      // A connection kept from before may have been closed meanwhile; that says nothing of this push.
      if (isDropped(error) && sent.reusedSocket && !signal.aborted) {
        return exchange(url, body, signal);
      }
      return { kind: isDropped(error) ? 'dropped' : 'failed', reason: reasonOf(error) };
    }
  }

  return {
    async push(url, body, signal) {
      if (!URL.canParse(url)) {
        return { kind: 'failed', reason: `${url} is no URL; give the peer one (peers add --url)` };
      }
      return exchange(url, body, signal);
    },
    reload(renewed) {
      // A push under way is finished as it began; its connection is not kept.
      agent.maxFreeSockets = 0;
      for (const socket of Object.values(agent.freeSockets).flat()) socket?.destroy();
      agent = createAgent(renewed);
    },
    close: () => agent.destroy(),
  };
}
