import type { Language } from '../../model/languages.ts';
import { bareWords } from './bare-words.ts';
import { visibleText } from './visible-text.ts';
import { WEB_CLIENT_LOCATION } from './web-client.ts';

/**
 * What an invitation says, made of what the inviting side sent: all of it is theirs to make up, and it
 * goes out in this server's name.
 */

/** Control characters, and those that turn the direction of writing: they make text look like other text. */
const MISLEADING = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** For what is read by programs, which has to stay what it is. */
const cleanId = (text: string): string => text.toWellFormed().replace(MISLEADING, '');

/** For what is read by people: what can be seen, and nothing to click on. */
export const cleanText = (text: string): string => bareWords(visibleText(text));

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
  'medium',
  'address',
  'room_id',
  'sender',
  'room_alias',
  'room_avatar_url',
  'room_join_rules',
  'room_name',
  'room_type',
  'sender_display_name',
  'sender_avatar_url',
  WEB_CLIENT_LOCATION,
]);

/** Whether it is an argument that can be no secret. */
export const isKnownField = (name: string): boolean => KNOWN_FIELDS.has(name);

/** A name in so many characters; what is cut in two there may leave half of it invisible. */
const cleanName = (name: string, limit: number, kept: number): string =>
  visibleText(shorten(cleanText(name), limit, kept));

/** The address of a picture, as homeservers have them, stays; any other text is cleaned. */
const cleanPicture = (text: string): string =>
  /^mxc:\/\/[\w.:[\]-]+\/[\w-]+$/.test(text) ? text : cleanText(text);

/** How arguments are shown; the others as text. */
const SHOWN: ReadonlyMap<string, (text: string) => string> = new Map([
  ['sender_display_name', (name) => cleanName(name, 20, 19)],
  ['room_name', (name) => cleanName(name, 30, 25)],
  ['room_avatar_url', cleanPicture],
  ['sender_avatar_url', cleanPicture],
  ['address', cleanId],
  ['room_id', cleanId],
  ['guest_access_token', cleanId],
]);

/** The arguments as an invitation may show them. */
export function textsOf(
  given: ReadonlyMap<string, string>,
  extraFields: readonly string[],
): Record<string, string> {
  const shown = [...given].filter(
    ([name]) => KNOWN_FIELDS.has(name) || name.startsWith('guest_') || extraFields.includes(name),
  );
  return Object.fromEntries(
    shown.map(([name, text]) => [name, (SHOWN.get(name) ?? cleanText)(text)] as const),
  );
}

/**
 * Whether a blocked word is in any of the arguments as they were sent, whatever its case.
 * @param words folded
 */
export function hasBlockedWord(
  given: ReadonlyMap<string, string>,
  words: readonly string[],
  fold: (text: string) => string,
): boolean {
  if (words.length === 0) return false;
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
  /** Folded, as it is kept. */
  readonly address: string;
  readonly brand: string | undefined;
  /** Undefined: the homeserver asked for none that there is. */
  readonly language: Language | undefined;
  readonly isSpace: boolean;
  /** Where its owner can have no more of them mailed. */
  readonly refuseUrl?: string | undefined;
  readonly values: Readonly<Record<string, string>>;
}
