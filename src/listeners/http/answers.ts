import type { FastifyReply } from 'fastify';
import { IdentityError } from '../../model/errors.ts';
import { UnavailableError } from '../../platform/unavailable.ts';
import {
  type Answer,
  FileAnswer,
  JsonAnswer,
  JsonText,
  PageAnswer,
  RedirectAnswer,
} from './endpoint.ts';
import { type AnswerContext, badJson, toApiError } from './errors.ts';

/** On every answer of an API that web clients of any origin use. */
export const CORS = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, POST, PUT, DELETE, OPTIONS',
  'access-control-allow-headers': 'Origin, X-Requested-With, Content-Type, Accept, Authorization',
} as const;

/** Header values are Latin-1 on the wire; links may hold more. */
const asciiUrl = (url: string) =>
  url.replace(/[^\x21-\x7e]/gu, (character) => encodeURIComponent(character));

const asItIs = (text: string) => text;

function sendJson(reply: FastifyReply, status: number, json: string): FastifyReply {
  // With a serializer, as Fastify would else add a charset, which JSON does not have. As text, which goes out in one
  // piece with the headers.
  return reply
    .code(status)
    .header('content-type', 'application/json')
    .serializer(asItIs)
    .send(json);
}

function sendPage(reply: FastifyReply, page: PageAnswer): FastifyReply {
  return reply
    .code(page.status)
    .headers({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': page.contentSecurityPolicy,
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      ...page.headers,
    })
    .send(page.html);
}

function sendFile(reply: FastifyReply, { type, bytes, headers }: FileAnswer): FastifyReply {
  return reply
    .headers({
      'content-type': type,
      // A picture can be a document with scripts in it, where it is opened by itself.
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
      'x-content-type-options': 'nosniff',
      'cache-control': 'public, max-age=3600',
      ...headers,
    })
    .send(bytes);
}

function sendRedirect(reply: FastifyReply, { location, headers }: RedirectAnswer): FastifyReply {
  return reply
    .code(302)
    .headers({
      location: asciiUrl(location),
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      ...headers,
    })
    .send();
}

/** Sends what a handler answered. */
export function send(reply: FastifyReply, answer: Answer): FastifyReply {
  if (answer instanceof PageAnswer) return sendPage(reply, answer);
  if (answer instanceof FileAnswer) return sendFile(reply, answer);
  if (answer instanceof RedirectAnswer) return sendRedirect(reply, answer);
  if (answer instanceof JsonText) return sendJson(reply, 200, answer.text);
  if (answer instanceof JsonAnswer) {
    return sendJson(reply, answer.status, JSON.stringify(answer.body));
  }
  return sendJson(reply, 200, JSON.stringify(answer));
}

/** Sends the answer for whatever was thrown, and logs what should not have been. */
export function sendError(
  reply: FastifyReply,
  error: unknown,
  context: AnswerContext = { version: 'v2' },
): FastifyReply {
  // Nobody reads the answer; it tells log and metrics that the fault was not here.
  const brokenOff = reply.request.raw.readableAborted;
  const answer = toApiError(brokenOff ? badJson('The request broke off') : error, context);
  const reqId = reply.request.id;
  if (brokenOff) reply.log.info({ reqId }, 'Request broken off');
  // Hanging up on a client that is still sending, it would not get to see the answer.
  if (answer.status === 413) reply.removeHeader('connection');
  // What the domain refuses is not a failure of this server, such as a homeserver that is down.
  if (error instanceof IdentityError) {
    if (answer.status >= 500) reply.log.info({ reqId, reason: error.message }, 'Request refused');
  } else if (answer.status >= 500 && !(error instanceof UnavailableError)) {
    // That is told once, by whoever found out.
    reply.log.error({ reqId, err: answer.cause ?? answer }, 'Request failed');
  }
  reply.headers({ 'x-request-id': reqId, ...answer.headers });
  return sendJson(reply, answer.status, JSON.stringify(answer.body));
}
