import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as httpRequest } from '../node-http.ts';
import { VERSION } from '../version.ts';
import { type ConnectionOptions, type IdleLimits, OutboundAgent } from './agent.ts';
import type { Dial, Route } from './dialer.ts';
import type { OutboundAnswer, OutboundRequest } from './outbound.ts';
import { codeOf, OutboundError } from './outbound-error.ts';

/** One request and its answer, on a connection of its own or one that was kept. */
export interface Exchange {
  /** @throws OutboundError, or the signal's reason */
  run(request: OutboundRequest, url: URL, signal: AbortSignal): Promise<OutboundAnswer>;
  close(): void;
}

function routeTo(request: OutboundRequest, url: URL): Route {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const secure = url.protocol === 'https:';
  const port = Number(url.port) || (secure ? 443 : 80);
  const { anyCertificate = false, configured = false, identity } = request;
  return {
    targets: request.via ?? [{ host, port }],
    tls: secure ? { name: host, anyCertificate, identity } : undefined,
    configured,
    within: request.time.connect,
  };
}

/** Equal for routes whose connections are exchangeable: to the same places, with the same checks. */
function keyOf({ targets, tls, configured }: Route): string {
  const places = targets.map(({ host, port }) => `${host} ${port}`).toSorted();
  return JSON.stringify([places, tls?.name, tls?.anyCertificate, tls?.identity?.id, configured]);
}

/** The body, as long as it is not too long. */
async function readBody(response: IncomingMessage, host: string, limit: number): Promise<Buffer> {
  const tooLarge = () => new OutboundError('too-large', `The answer of ${host} is too long`);
  const encoding = response.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') {
    throw new OutboundError('protocol', `${host} answered in an encoding that was not asked for`);
  }
  if (Number(response.headers['content-length'] ?? 0) > limit) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    length += chunk.length;
    if (length > limit) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** What became of a connection, in words. */
function explain(error: unknown, host: string): OutboundError {
  const code = codeOf(error);
  return code.startsWith('HPE_')
    ? new OutboundError('protocol', `${host} did not answer in HTTP (${code})`, { cause: error })
    : new OutboundError('unreachable', `${host} closed the connection (${code})`, {
        cause: error,
        afterSending: true,
      });
}

const tooLate = (host: string) =>
  new OutboundError('timeout', `${host} did not answer in time`, { afterSending: true });

/** The same error, of a request that may have arrived. */
const afterSending = (error: unknown) =>
  error instanceof OutboundError
    ? new OutboundError(error.kind, error.message, { cause: error.cause, afterSending: true })
    : error;

/** So often a server may say that its answer is still to come. */
const MAX_INFORMATION = 20;

/** The answer's head. */
function responseTo(
  request: ClientRequest,
  body: OutboundRequest['body'],
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    let information = 0;
    request.on('information', () => {
      if (++information <= MAX_INFORMATION) return;
      reject(new OutboundError('protocol', 'The server does not come to its answer'));
    });
    request.once('upgrade', (_response, socket) => {
      socket.destroy();
      reject(new OutboundError('protocol', 'The server changed to another protocol'));
    });
    request.on('error', reject);
    // Whatever else may happen: nobody waits for ever.
    request.once('close', () =>
      reject(new OutboundError('unreachable', 'The connection broke', { afterSending: true })),
    );
    request.end(body);
  });
}

export function createExchange(dial: Dial, idle: IdleLimits): Exchange {
  const keeping = new OutboundAgent(idle);
  const fresh = new OutboundAgent();

  async function attempt(
    request: OutboundRequest,
    url: URL,
    signal: AbortSignal,
    agent: OutboundAgent,
  ): Promise<OutboundAnswer> {
    const { method } = request;
    const route = routeTo(request, url);
    const options: ConnectionOptions = {
      agent,
      method,
      path: `${url.pathname}${url.search}`,
      headers: {
        host: url.host,
        'user-agent': `Cognomen/${VERSION}`,
        accept: 'application/json',
        'accept-encoding': 'identity',
        ...request.headers,
      },
      signal,
      connectionKey: keyOf(route),
      dial: () => dial(route, request.room, signal),
    };
    const sent = httpRequest(options);
    let answering = false;
    let timer: NodeJS.Timeout | undefined;
    sent.once('socket', () => {
      timer = setTimeout(() => sent.destroy(tooLate(url.host)), request.time.answer);
    });
    try {
      const response = await responseTo(sent, request.body);
      answering = true;
      clearTimeout(timer);
      const body = await readBody(response, url.host, request.maxBytes).catch((error: unknown) => {
        if (!request.bodyIsOptional || !(error instanceof OutboundError)) throw error;
        sent.destroy();
        return Buffer.alloc(0);
      });
      // Where only the end of the connection ends a body, breaking it off looks like an end.
      signal.throwIfAborted();
      return { status: response.statusCode ?? 0, headers: response.headers, body };
    } catch (error) {
      // Without a connection nothing has gone out.
      const wasConnected = sent.socket !== null;
      sent.destroy();
      if (signal.aborted) throw wasConnected ? afterSending(signal.reason) : signal.reason;
      if (error instanceof OutboundError) throw error;
      // The server may have closed a kept connection just as it was taken again.
      if (sent.reusedSocket && !answering) return attempt(request, url, signal, fresh);
      throw explain(error, url.host);
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    // What cannot be repeated does not go out on a connection that may be about to close.
    run(request, url, signal) {
      const { repeatable = request.method !== 'POST' } = request;
      return attempt(request, url, signal, repeatable ? keeping : fresh);
    },
    close() {
      keeping.destroy();
      fresh.destroy();
    },
  };
}
