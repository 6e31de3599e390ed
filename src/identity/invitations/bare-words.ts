import { isTopLevelDomain } from '../../platform/top-level-domains.ts';

/** Dots as domains have them; slashes; what else holds the parts of a link together. */
const DOT = /[.\u3002\uff0e\uff61]/;
const SLASH = /[/\uff0f]/;
const MARKS = /[:\uff1a/\uff0f\\.\u3002\uff0e\uff61]+/g;

/** Whether the text before a slash ends in a host on the Internet, with or without a port. */
function endsInHost(text: string): boolean {
  const labels = text
    .replace(/:\d{0,5}$/, '')
    .replace(/\.$/, '')
    .split(DOT);
  const [name = '', top = ''] = labels.slice(-2);
  return labels.length > 1 && /[\p{L}\p{M}\p{N}]$/u.test(name) && isTopLevelDomain(top);
}

/** Whether mail programs would make a link of the word: a scheme, `www.`, a path on a Windows server, a host with a path. */
const readsAsLink = (word: string): boolean =>
  /[:\uff1a][/\uff0f]{2}|\\\\|www[.\u3002\uff0e\uff61]/i.test(word) ||
  word.split(SLASH).slice(0, -1).some(endsInHost);

/**
 * The text with spaces for what makes a link of words (`https://a.com/b` becomes `https a com b`). Nothing
 * less is safe: mail programs find links without a scheme, and pass over what cannot be seen.
 */
export const bareWords = (text: string): string =>
  text.replace(/\S+/g, (word) => (readsAsLink(word) ? word.replace(MARKS, ' ').trim() : word));
