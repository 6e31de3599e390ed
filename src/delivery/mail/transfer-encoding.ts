import * as quotedPrintable from 'nodemailer/lib/qp';
import { boundaryOf, headerValue, isNamed, mapParts, parseEntity } from './entity.ts';

const TRANSFER_ENCODING = 'content-transfer-encoding';
/** More than any message has of parts in parts. */
const MAX_LEVELS = 10;

const is8Bit = (text: string) => /[\x80-\xff]/.test(text);

type Encoding = '8bit' | 'quoted-printable';

/** The headers of an entity whose body is not ASCII, once it is encoded so; undefined: its parts are. */
function relabel(
  headers: readonly string[],
  encoding: Encoding | undefined,
  isMessage: boolean,
): readonly string[] {
  if (headerValue(headers, TRANSFER_ENCODING)?.toLowerCase() === encoding) return headers;
  const has = (name: string) => headerValue(headers, name) !== undefined;
  return [
    ...headers.filter((header) => !isNamed(header, TRANSFER_ENCODING)),
    ...(isMessage && !has('mime-version') ? ['MIME-Version: 1.0'] : []),
    // Without, it would be ASCII.
    ...(has('content-type') ? [] : ['Content-Type: text/plain; charset=utf-8']),
    ...(encoding === undefined ? [] : [`Content-Transfer-Encoding: ${encoding}`]),
  ];
}

function encodeEntity(text: string, encoding: Encoding, level = 0): string {
  const entity = parseEntity(text);
  if (entity === undefined || !is8Bit(entity.body) || level > MAX_LEVELS) return text;
  const { headers, body } = entity;
  const given = headerValue(headers, TRANSFER_ENCODING) ?? '7bit';
  const type = headerValue(headers, 'content-type') ?? '';
  // What is encoded already, or is a message in a message, stays as it is.
  if (!/^(?:7bit|8bit|binary)$/i.test(given) || /^message\//i.test(type)) return text;
  const boundary = boundaryOf(type);
  const isMessage = level === 0;
  if (boundary !== undefined) {
    const parts = mapParts(body, boundary, (part) => encodeEntity(part, encoding, level + 1));
    const own = encoding === '8bit' ? encoding : undefined;
    return [...relabel(headers, own, isMessage), '', parts].join('\r\n');
  }
  const encoded =
    encoding === '8bit' ? body : quotedPrintable.wrap(quotedPrintable.encode(octets(body)));
  return [...relabel(headers, encoding, isMessage), '', encoded].join('\r\n');
}

const octets = (text: string) => Buffer.from(text, 'latin1');

/** The message with `Content-Transfer-Encoding: 8bit` where that is so and not said (RFC 2045, section 6). */
export const labelled = (message: Buffer): Buffer =>
  octets(encodeEntity(message.toString('latin1'), '8bit'));

/**
 * The message for a relay without 8BITMIME (RFC 6152): every body that is in 8 bits becomes quoted-printable.
 * Headers stay as they are.
 */
export const inSevenBits = (message: Buffer): Buffer =>
  octets(encodeEntity(message.toString('latin1'), 'quoted-printable'));
