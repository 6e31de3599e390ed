import { WEB_CLIENT_LOCATION } from './web-client.ts';

/**
 * What an invitation says, made of what the inviting side sent: all of it is theirs to make up, and it
 * goes out in this server's name.
 */

/** Control characters, and those that turn the direction of writing: they make text look like other text. */
const INVISIBLE = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

const cleanText = (text: string): string => text.toWellFormed().replace(INVISIBLE, '');

/** A name without what could mislead; one with a link in it becomes empty. */
function cleanName(name: string): string {
  const clean = cleanText(name);
  return /:\/\/|www\./i.test(clean) ? '' : clean;
}

/** A text over the limit, cut short and marked so. */
function shorten(text: string, limit: number, kept: number): string {
  const characters = [...text];
  return characters.length > limit ? `${characters.slice(0, kept).join('')}…` : text;
}

/** The part of an address that a room gets to see: how much of it depends on its length. */
function redactPart(part: string, revealed: number): string {
  const characters = [...part];
  const { length } = characters;
  const shown = length > revealed ? revealed : length > 5 ? 3 : length > 1 ? 1 : 0;
  return `${characters.slice(0, shown).join('')}...`;
}

/** The address as a room gets to see it, `fo...@exa...`. */
export function redactAddress(
  address: string,
  revealed: { readonly username: number; readonly domain: number },
): string {
  const at = address.lastIndexOf('@');
  const username = redactPart(address.slice(0, at), revealed.username);
  return `${username}@${redactPart(address.slice(at + 1), revealed.domain)}`;
}

/** The arguments of store-invite that the specification knows, and one that Synapse sends beside them. */
const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  ...['medium', 'address', 'room_id', 'sender', 'room_alias', 'room_avatar_url'],
  ...['room_join_rules', 'room_name', 'room_type', 'sender_display_name', 'sender_avatar_url'],
  WEB_CLIENT_LOCATION,
]);

const NAMES: Readonly<Record<string, (name: string) => string>> = {
  sender_display_name: (name) => shorten(cleanName(name), 20, 19),
  room_name: (name) => shorten(cleanName(name), 30, 25),
};

/** The arguments as an invitation may show them. */
export function textsOf(
  given: ReadonlyMap<string, string>,
  extraFields: readonly string[],
): Record<string, string> {
  const shown = [...given].filter(
    ([name]) => KNOWN_FIELDS.has(name) || name.startsWith('guest_') || extraFields.includes(name),
  );
  return Object.fromEntries(
    shown.map(([name, text]) => [name, (NAMES[name] ?? cleanText)(text)] as const),
  );
}

/** Whether a blocked word is in any of the arguments as they were sent, whatever its case. */
export function hasBlockedWord(
  given: ReadonlyMap<string, string>,
  blocked: readonly string[],
  fold: (text: string) => string,
): boolean {
  if (blocked.length === 0) return false;
  const words = blocked.map(fold);
  return [...given].some(([name, text]) => {
    // Those who block links with `://` do not mean this one.
    const bare = name === WEB_CLIENT_LOCATION ? text.replace(/^https?:\/\//i, '') : text;
    const folded = fold(bare);
    return words.some((word) => folded.includes(word));
  });
}

/** One invitation, with the values for its template. */
export interface InvitationMail {
  readonly to: string;
  readonly brand: string | undefined;
  readonly isSpace: boolean;
  readonly values: Readonly<Record<string, string>>;
}
