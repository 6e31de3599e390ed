import type { DeliveryReport, Reported } from '../../identity/messages/delivery-reports.ts';
import {
  boundaryOf,
  type Entity,
  headersIn,
  headerValue,
  mapParts,
  parseEntity,
} from './entity.ts';

/** Octets that are looked at: what comes first is our part of it, and the mail itself last. */
export const MAX_REPORT = 512 * 1024;
/** Reports stand in messages that were passed on, or come with a list's footer. */
const MAX_LEVELS = 3;
const MAX_PARTS = 50;
const MAX_BOUNDARY = 200;
/** Groups of fields: the first is of the message, each other of a recipient. Our mails have one. */
const MAX_GROUPS = 10;
/** Longer addresses there are none; longer texts are of no use. */
const MAX_ADDRESS = 500;
const MAX_TEXT = 300;

const REPORT = /^message\/(?:global-)?delivery-status(?:[\s;]|$)/i;
const RETURNED = /^(?:message\/(?:rfc822|global|global-headers)|text\/rfc822-headers)(?:[\s;]|$)/i;

/** The worst first: of several recipients that one counts. */
const ACTIONS: readonly (readonly [action: RegExp, event: Reported])[] = [
  [/^failed\b/i, 'bounced'],
  [/^delayed\b/i, 'delayed'],
  [/^(?:delivered|relayed|expanded)\b/i, 'delivered'],
];

const withCrlf = (text: string) => text.replace(/\r\n|\r|\n/g, '\r\n');

/** The body as it was before it was encoded for its way. */
function decodedBody({ headers, body }: Entity): string {
  const encoding = headerValue(headers, 'content-transfer-encoding')?.toLowerCase();
  if (encoding === 'base64') return withCrlf(Buffer.from(body, 'base64').toString('latin1'));
  if (encoding !== 'quoted-printable') return body;
  return withCrlf(
    body
      .replace(/=\r\n/g, '')
      .replace(/=([0-9A-F]{2})/gi, (_code, digits: string) =>
        String.fromCharCode(Number.parseInt(digits, 16)),
      ),
  );
}

/** What is in it that is no multipart, in its order. */
function leavesOf(text: string, level = 0): Entity[] {
  const entity = parseEntity(text);
  if (entity === undefined) return [];
  const boundary = boundaryOf(headerValue(entity.headers, 'content-type') ?? '');
  const isWhole = boundary === undefined || boundary.length > MAX_BOUNDARY || level >= MAX_LEVELS;
  if (isWhole) return [entity];
  const parts: string[] = [];
  mapParts(entity.body, boundary, (part) => {
    if (parts.length < MAX_PARTS) parts.push(part);
    return '';
  });
  return parts.flatMap((part) => leavesOf(part, level + 1));
}

/** Octets that are UTF-8 as text on one line, no longer than it is of use. */
const textOf = (octets: string | undefined, most = MAX_TEXT): string | undefined => {
  if (octets === undefined) return undefined;
  const text = Buffer.from(octets.slice(0, 4 * most), 'latin1').toString('utf8');
  return (
    text
      .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
      .trim()
      .slice(0, most)
      .toWellFormed() || undefined
  );
};

/** What stands behind the type of an address or a text: `rfc822; ada@example.org`. */
const behindType = (typed: string | undefined) => typed?.slice(typed.indexOf(';') + 1).trim();

/** The address in a header that has one. */
const addressIn = (header: string | undefined) => {
  if (header === undefined) return undefined;
  const begin = header.lastIndexOf('<');
  const end = header.indexOf('>', begin);
  return begin >= 0 && end >= 0 ? header.slice(begin + 1, end) : header;
};

const typeOf = ({ headers }: Entity) => headerValue(headers, 'content-type') ?? '';

/** The headers of the mail that a report is about, which came back with it. */
function returnedHeaders(leaves: readonly Entity[]): readonly string[] {
  const returned = leaves.find((leaf) => RETURNED.test(typeOf(leaf)));
  if (returned === undefined) return [];
  const text = decodedBody(returned);
  return parseEntity(text)?.headers ?? headersIn(text);
}

/**
 * What a report on the delivery of a mail says (RFC 3464, RFC 6533); undefined for any other message.
 * Whatever is in it, the time is in proportion to its length.
 */
export function readDeliveryReport(message: Buffer): DeliveryReport | undefined {
  const leaves = leavesOf(withCrlf(message.toString('latin1', 0, MAX_REPORT)));
  const status = leaves.find((leaf) => REPORT.test(typeOf(leaf)));
  if (status === undefined) return undefined;
  const groups = decodedBody(status)
    .split('\r\n\r\n')
    .map((group) => headersIn(group.replace(/^(?:\r\n)+/, '')))
    .filter((fields) => fields.some((field) => field.trim() !== ''))
    .slice(0, MAX_GROUPS);
  for (const [action, event] of ACTIONS) {
    const fields = groups.find((group) => action.test(headerValue(group, 'action') ?? ''));
    if (fields === undefined) continue;
    const returned = returnedHeaders(leaves);
    const envelopeId = groups
      .map((group) => headerValue(group, 'original-envelope-id'))
      .find((id) => id !== undefined);
    const named = [
      addressIn(headerValue(returned, 'to')),
      behindType(headerValue(fields, 'original-recipient')),
      behindType(headerValue(fields, 'final-recipient')),
    ];
    return {
      event,
      messageId: textOf(headerValue(returned, 'message-id') ?? (envelopeId && `<${envelopeId}>`)),
      addresses: named.map((one) => textOf(one, MAX_ADDRESS)).filter((one) => one !== undefined),
      status: /^\d\.\d{1,3}\.\d{1,3}/.exec(headerValue(fields, 'status') ?? '')?.[0],
      reply: textOf(behindType(headerValue(fields, 'diagnostic-code'))),
      remote: textOf(behindType(headerValue(fields, 'remote-mta'))),
    };
  }
  return undefined;
}
