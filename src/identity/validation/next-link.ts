import type { Logger } from 'pino';

const LONGEST = 2048;

/** Why a browser cannot be sent there, in words that tell nothing of the link but its scheme; undefined: it can. */
function fault(link: string, extraSchemes: readonly string[]): string | undefined {
  if (link.length > LONGEST) return `is longer than ${LONGEST} characters`;
  if (/[\p{Cc}\\]/u.test(link)) return 'holds a control character or backslash';
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(link)?.[1]?.toLowerCase();
  if (scheme === undefined) return 'is not an absolute URL';
  if (scheme === 'http' || scheme === 'https') {
    return /^https?:\/\/[^/]/i.test(link) && URL.canParse(link) ? undefined : 'is not a URL';
  }
  return extraSchemes.includes(scheme) ? undefined : `has the scheme ${scheme.slice(0, 30)}`;
}

/**
 * A `next_link` as it is kept: where a browser is sent after validation. Undefined where it cannot be sent
 * there, which is logged: the code goes out all the same, and the person at the screen can still finish.
 * @param extraSchemes allowed beside `http` and `https`, lower case, without colon.
 */
export function usableNextLink(
  link: string | undefined,
  { nextLinkSchemes, logger }: { nextLinkSchemes: readonly string[]; logger: Logger },
): string | undefined {
  // Some clients send an empty link where they have none.
  if (link === undefined || link === '') return undefined;
  // Encoding only makes it longer, and takes a fifth of a second for as much as a request can hold.
  const encoded = link.length > LONGEST ? link : link.replace(/\p{Z}/gu, encodeURIComponent);
  const reason = fault(encoded, nextLinkSchemes);
  if (reason === undefined) return encoded;
  logger.info({ reason }, 'A next_link was left out');
  return undefined;
}

/** The link with `sid` at its very end, behind a fragment too: clients keep their query there. */
export function nextLinkWithSid(link: string, sid: number): string {
  return `${link}${link.includes('?') ? '&' : '?'}sid=${sid}`;
}
