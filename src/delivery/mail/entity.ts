/** A message or a part of one. Characters stand for octets, as in Latin-1; lines end in CRLF. */
export interface Entity {
  /** Its headers, each with its folded lines. */
  readonly headers: readonly string[];
  readonly body: string;
}

const BLANK = '\r\n\r\n';

export const isNamed = (header: string, name: string): boolean =>
  header.slice(0, name.length + 1).toLowerCase() === `${name}:`;

/** The value of the first header of that name, on one line. */
export const headerValue = (headers: readonly string[], name: string): string | undefined =>
  headers
    .find((header) => isNamed(header, name))
    ?.slice(name.length + 1)
    .replace(/\r\n/g, '')
    .trim();

/** The headers of a text that is nothing but headers. */
export const headersIn = (text: string): string[] => text.split(/\r\n(?![ \t])/);

/** Undefined where nothing divides headers and body. */
export function parseEntity(text: string): Entity | undefined {
  if (text.startsWith('\r\n')) return { headers: [], body: text.slice(2) };
  const end = text.indexOf(BLANK);
  if (end < 0) return undefined;
  return { headers: headersIn(text.slice(0, end)), body: text.slice(end + BLANK.length) };
}

/** What stands between the parts of a multipart entity; undefined for any other. */
export function boundaryOf(contentType: string): string | undefined {
  if (!/^multipart\//i.test(contentType)) return undefined;
  const [, quoted, plain] = /;\s*boundary\s*=\s*(?:"([^"]+)"|([^\s;"]+))/i.exec(contentType) ?? [];
  return quoted ?? plain;
}

/** Rewrites each part between two boundaries; what stands before and after them stays. */
export function mapParts(
  body: string,
  boundary: string,
  rewrite: (part: string) => string,
): string {
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
