/** Longer ones say no more: they come from others. */
const MAX_TEXT = 300;

/** A word, without the punctuation around it. */
const CORE = /[\p{L}\p{N}].*[\p{L}\p{N}]|[\p{L}\p{N}]/su;
/** What a reply means: it begins with the one, or that is behind a colon; and the other. */
const CODE = /^[2-5]\d\d$/;
const STATUS = /^[245]\.\d{1,3}\.\d{1,3}$/;
const IP = /^(?:\d{1,3}(?:\.\d{1,3}){3}|[\da-f]{0,4}(?::[\da-f]{0,4}){2,8})$/i;
const NUMBER = /^[\d.,:/+-]+$/;
const HOST = /^[a-z\d-]+(?:\.[a-z\d-]+)*\.[a-z]{2,}$/i;
/** Shorter ones are words, such as TLS1. */
const MIN_ID = 6;

/** What of a word says whom or which one it was, by what it is; the rest of it stays. */
function withoutWhich(
  word: string,
  { own, isFirst }: { readonly own: ReadonlyMap<string, string>; readonly isFirst: boolean },
): string {
  if (word.includes('@')) return '(address)';
  const core = CORE.exec(word)?.[0] ?? '';
  const put = (what: string) => word.replace(core, () => what);
  const known = own.get(core.toLowerCase());
  if (known !== undefined) return put(known);
  if (!/\d/.test(core) || STATUS.test(core) || (isFirst && CODE.test(core))) return word;
  if (IP.test(core)) return put('(IP)');
  if (NUMBER.test(core)) return put('(number)');
  if (HOST.test(core)) return put(core.replaceAll(/\d+/g, '#'));
  return core.length < MIN_ID ? word : put('(id)');
}

/**
 * A reply without what differs each time: addresses, names of mailboxes, links, IP addresses, numbers, queue ids. Codes and words
 * stay, so that replies that mean the same are the same.
 * @param address whom it is about
 */
export function patternOfReply(reply: string, address: string): string {
  const at = address.lastIndexOf('@');
  const own = new Map<string, string>([
    [address, '(address)'],
    ...(at < 0
      ? []
      : ([
          [address.slice(0, at), '(address)'],
          [address.slice(at + 1), '(domain)'],
        ] as const)),
  ]);
  // Queue ids and names stand behind these.
  const words = reply
    .slice(0, MAX_TEXT)
    .replaceAll(/\bhttps?:\S+/gi, '(link)')
    .split(/([\s=<>()[\]{}"';,]+)/);
  return words
    .map((word, place) => {
      if (place % 2 === 1) return word.replaceAll(/\s+/g, ' ');
      const before = words[place - 2] ?? '';
      return withoutWhich(word, { own, isFirst: before === '' || before.endsWith(':') });
    })
    .join('')
    .trim();
}
