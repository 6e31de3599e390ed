import type { Language } from '../../model/languages.ts';
import type { WebClient } from '../../model/web-client.ts';
import type { Random } from '../../platform/random.ts';
import { NONCE_LENGTH } from '../../signing/sealing.ts';
import type { KeptMail } from '../../storage/stores/index.ts';
import type { ServerKeys } from '../server-keys.ts';
import { type InvitationMail, isKnownField } from './invitation-text.ts';

/** What the mail of an invitation says, and to whom it goes. */
export interface MailMatter {
  /** The mailbox. */
  readonly to: string;
  /** Folded, as the invitation is kept. */
  readonly address: string;
  readonly brand: string | undefined;
  /** Undefined: the homeserver asked for none that there is. */
  readonly language: Language | undefined;
  /** Who proved to be the sender; undefined where it is only said. */
  readonly verifiedSender: string | undefined;
  readonly webClient: WebClient;
  /** The arguments of the invitation, as they may be shown. */
  readonly texts: Readonly<Record<string, string>>;
}

/** What proves that somebody has got the mail. */
export interface MailSecret {
  readonly token: string;
  /** Unpadded URL-safe base64. */
  readonly privateKey: string;
}

/** Characters of what is kept: no homeserver sends as much. */
const LONGEST = 16 * 1024;

const bracketed = (text: string | undefined) => (text ? `(${text}) ` : '');

/** @param signUrl the URL of `sign-ed25519` */
export function invitationMail(
  { to, address, brand, language, verifiedSender, webClient, texts }: MailMatter,
  { token, privateKey }: MailSecret,
  signUrl: string,
): InvitationMail {
  const query = new URLSearchParams({ token, private_key: privateKey });
  return {
    to,
    address,
    brand,
    language,
    isSpace: texts['room_type'] === 'm.space',
    values: {
      ...texts,
      token,
      ephemeral_private_key: privateKey,
      signurl: `${signUrl}?${query}`,
      web_client_location: webClient.location,
      web_client_host: webClient.host,
      bracketed_room_name: bracketed(texts['room_name']),
      verified_sender: verifiedSender ?? '',
      bracketed_verified_sender: bracketed(verifiedSender),
    },
  };
}

/** What a seal is good for: that mail, as it is kept beside. */
const aboutOf = (token: string, shown: string) => `${token}\n${shown}`;

/** For the database, its secrets sealed; undefined: too long to be kept. */
export function keptMail(
  { texts, ...matter }: MailMatter,
  { token, privateKey }: MailSecret,
  { keys, random }: { readonly keys: Pick<ServerKeys, 'seal'>; readonly random: Random },
): KeptMail | undefined {
  // What nobody knows by its name may be a secret, such as the access token of a guest.
  const { known = [], other = [] } = Object.groupBy(Object.entries(texts), ([name]) =>
    isKnownField(name) ? 'known' : 'other',
  );
  const shown = JSON.stringify({ ...matter, texts: Object.fromEntries(known) });
  const secret = JSON.stringify({ privateKey, texts: Object.fromEntries(other) });
  if (shown.length + secret.length > LONGEST) return undefined;
  return { shown, sealed: keys.seal(secret, aboutOf(token, shown), random.bytes(NONCE_LENGTH)) };
}

/** The mail again; undefined where none of the server's keys has sealed it, or it was changed. */
export function openedMail(
  { shown, sealed }: KeptMail,
  token: string,
  keys: Pick<ServerKeys, 'open'>,
  signUrl: string,
): InvitationMail | undefined {
  const opened = keys.open(sealed, aboutOf(token, shown));
  if (opened === undefined) return undefined;
  // Both are this server's own words: the seal vouches for them.
  const matter = JSON.parse(shown) as MailMatter;
  const { privateKey, texts } = JSON.parse(opened) as Pick<MailSecret, 'privateKey'> &
    Pick<MailMatter, 'texts'>;
  const all = { ...matter, texts: { ...matter.texts, ...texts } };
  return invitationMail(all, { token, privateKey }, signUrl);
}
