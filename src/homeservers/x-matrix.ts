/** One signature of a request, as its Authorization header has it. */
export interface XMatrix {
  /** The homeserver that signed, not checked in any way. */
  readonly origin: string;
  /** Whom the request is for; older homeservers leave it out. */
  readonly destination: string | undefined;
  /** Such as `ed25519:abc`. */
  readonly key: string;
  /** Base64. */
  readonly sig: string;
}

const BETWEEN = /[ \t,]*/y;
const SCHEME = /X-Matrix[ \t]+/iy;
// Old homeservers do not quote values with colons and slashes in them: whatever cannot end a value is in it.
const PARAMETER =
  /([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^ \t,"]+))[ \t]*(?=,|$)/y;

function complete(parameters: ReadonlyMap<string, string>): XMatrix | undefined {
  const origin = parameters.get('origin');
  const key = parameters.get('key');
  const sig = parameters.get('sig');
  if (origin === undefined || key === undefined || sig === undefined) return undefined;
  return { origin, destination: parameters.get('destination'), key, sig };
}

/**
 * The signatures in an Authorization header (specification, "Request Authentication"; RFC 9110, 11.6.2); several when
 * a proxy has joined headers. None when the scheme is another, or anything in it is malformed.
 */
export function parseXMatrix(header: string): readonly XMatrix[] {
  const all: Map<string, string>[] = [];
  let at = 0;
  const next = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const match = pattern.exec(header);
    if (match !== null) at += match[0].length;
    return match;
  };
  for (next(BETWEEN); at < header.length; next(BETWEEN)) {
    if (next(SCHEME) !== null) {
      all.push(new Map());
      continue;
    }
    const parameters = all.at(-1);
    const [, name = '', quoted, bare = ''] = next(PARAMETER) ?? [];
    const key = name.toLowerCase();
    if (parameters === undefined || key === '' || parameters.has(key)) return [];
    parameters.set(key, quoted === undefined ? bare : quoted.replace(/\\(.)/g, '$1'));
  }
  const signatures = all.map(complete);
  return signatures.every((signature) => signature !== undefined) ? signatures : [];
}
