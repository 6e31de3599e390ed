import * as quotedPrintable from 'nodemailer/lib/qp';

/** A message or a part of one. Characters stand for octets, as in Latin-1. */
interface Entity {
  /** Its headers, each with its folded lines. */
  readonly headers: readonly string[];
  readonly body: string;
}

const TRANSFER_ENCODING = 'content-transfer-encoding';
const BLANK = '\r\n\r\n';
/** More than any message has of parts in parts. */
const MAX_LEVELS = 10;

const is8Bit = (text: string) => /[\x80-\xff]/.test(text);

const isNamed = (header: string, name: string) =>
  header.slice(0, name.length + 1).toLowerCase() === `${name}:`;

/** The value of the header of that name, on one line. */
const headerValue = (headers: readonly string[], name: string) =>
  headers
    .find((header) => isNamed(header, name))
    ?.slice(name.length + 1)
    .replace(/\r\n/g, '')
    .trim();

/** Undefined where nothing divides headers and body. */
function parse(text: string): Entity | undefined {
  if (text.startsWith('\r\n')) return { headers: [], body: text.slice(2) };
  const end = text.indexOf(BLANK);
  if (end < 0) return undefined;
  const headers = text.slice(0, end).split(/\r\n(?![ \t])/);
  return { headers, body: text.slice(end + BLANK.length) };
}

/** What stands between the parts of a multipart entity; undefined for any other. */
function boundaryOf(contentType: string): string | undefined {
  if (!/^multipart\//i.test(contentType)) return undefined;
  const [, quoted, plain] = /;\s*boundary\s*=\s*(?:"([^"]+)"|([^\s;"]+))/i.exec(contentType) ?? [];
  return quoted ?? plain;
}

/** Rewrites each part between two boundaries; what stands before and after them stays. */
function mapParts(body: string, boundary: string, rewrite: (part: string) => string): string {
  const literal = boundary.replace(/[^A-Za-z0-9]/g, '\\$&');
  const delimiter = new RegExp(`\\r\\n--${literal}(?=(?:--)?[ \\t]*(?:\\r\\n|$))`);
  // A boundary is a whole line; the first may be at the very start.
  const pieces = `\r\n${body}`.split(delimiter);
  const last = pieces.findIndex((piece, index) => index > 0 && piece.startsWith('--'));
  const rewritten = pieces.map((piece, index) => {
    if (index === 0 || (last >= 0 && index >= last)) return piece;
    const start = piece.indexOf('\r\n') + 2;
    return piece.slice(0, start) + rewrite(piece.slice(start));
  });
  return rewritten.join(`\r\n--${boundary}`).slice(2);
}

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
  const entity = parse(text);
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
