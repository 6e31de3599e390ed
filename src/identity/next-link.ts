import { IdentityError } from './errors.ts';

/**
 * Checks a `next_link` before it is kept: where a browser is sent after validation.
 * @param extraSchemes allowed beside `http` and `https`, lower case, without colon.
 * @throws IdentityError `parameter-invalid`
 */
export function parseNextLink(link: string, extraSchemes: readonly string[]): string {
  const refuse = (why: string) => new IdentityError('parameter-invalid', `next_link ${why}`);
  if (link.length > 2048) throw refuse('is longer than 2048 characters');
  if (/[\p{Cc}\p{Z}\\]/u.test(link)) throw refuse('holds a space, control character or backslash');
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(link)?.[1]?.toLowerCase();
  if (scheme === undefined) throw refuse('is not an absolute URL');
  if (scheme === 'http' || scheme === 'https') {
    if (!/^https?:\/\/[^/]/i.test(link) || !URL.canParse(link)) throw refuse('is not a URL');
  } else if (!extraSchemes.includes(scheme)) {
    throw refuse(`has the scheme ${scheme}, which this server does not redirect to`);
  }
  return link;
}

/** The link with `sid` at its very end, behind a fragment too: clients keep their query there. */
export function nextLinkWithSid(link: string, sid: number): string {
  return `${link}${link.includes('?') ? '&' : '?'}sid=${sid}`;
}
