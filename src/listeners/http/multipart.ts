import { invalidParam } from './errors.ts';
import { decodeUtf8, type Pair } from './form.ts';

/** Bytes; a part of a form has one header, or two. */
const MAX_HEADERS = 4096;

const malformed = (what: string) => invalidParam(`The body is not multipart/form-data: ${what}`);

/** The parameters behind the first semicolon of a header's value; names in lower case. */
function parametersOf(value: string): ReadonlyMap<string, string> {
  const found = value.matchAll(/;\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))/g);
  return new Map(
    Array.from(found, ([, name = '', quoted, plain = '']) => [
      name.toLowerCase(),
      quoted?.replace(/\\(.)/g, '$1') ?? plain,
    ]),
  );
}

/** What stands between the parts, as a Content-Type says; undefined where it does not (RFC 2046, section 5.1.1). */
export function boundaryOf(contentType: string): string | undefined {
  const boundary = parametersOf(contentType).get('boundary') ?? '';
  return /^[\x20-\x7e]{1,70}$/.test(boundary) ? boundary : undefined;
}

/** Where what begins there ends. */
function endOf(body: Buffer, end: string | Buffer, from: number, most = body.length): number {
  const at = body.indexOf(end, from);
  if (at < 0 || at - from > most) throw malformed('a part has no end');
  return at;
}

/** The parameters of the Content-Disposition among the headers of a part. */
function dispositionOf(headers: Buffer): ReadonlyMap<string, string> {
  const lines = decodeUtf8(headers, 'The header of a part').split('\r\n');
  const value = lines
    .map((line) => /^content-disposition:\s*form-data\s*(;.*)$/i.exec(line)?.[1])
    .find((found) => found !== undefined);
  return parametersOf(value ?? '');
}

/**
 * The parameters of a form as `multipart/form-data` (RFC 7578); undefined for a file, which is nothing here.
 * The body is walked through once, whatever is in it.
 * @throws ApiError `M_INVALID_PARAM`
 */
export function* multipartPairs(body: Buffer, boundary: string): Generator<Pair | undefined> {
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  const first = delimiter.subarray(2);
  let at = body.subarray(0, first.length).equals(first)
    ? first.length
    : endOf(body, delimiter, 0) + delimiter.length;
  while (body.toString('latin1', at, at + 2) !== '--') {
    const headers = endOf(body, '\r\n', at, MAX_HEADERS);
    if (/[^ \t]/.test(body.toString('latin1', at, headers))) throw malformed('an odd boundary');
    const content = endOf(body, '\r\n\r\n', headers, MAX_HEADERS) + 4;
    const end = endOf(body, delimiter, content);
    const disposition = dispositionOf(body.subarray(headers + 2, content - 4));
    const name = disposition.get('name');
    if (name === undefined) throw malformed('a part has no name');
    const isFile = disposition.has('filename') || disposition.has('filename*');
    yield isFile ? undefined : [name, decodeUtf8(body.subarray(content, end), name)];
    at = end + delimiter.length;
  }
}
