import { isReachableName, isServerName } from './server-name.ts';

export interface Mxid {
  readonly localpart: string;
  readonly serverName: string;
}

const MAX_BYTES = 255;

/** Bytes of whatever an address is bound to, be it a Matrix user id or not. */
export const LONGEST_MXID = 1024;

/**
 * A Matrix user id, `@localpart:server`, with the local parts that were allowed in the past
 * (specification appendices, "User Identifiers"); undefined when the text is not one.
 */
export function parseMxid(text: string): Mxid | undefined {
  const colon = text.indexOf(':');
  if (!text.startsWith('@') || colon < 2 || !text.isWellFormed()) return undefined;
  if (Buffer.byteLength(text, 'utf8') > MAX_BYTES) return undefined;
  const localpart = text.slice(1, colon);
  const serverName = text.slice(colon + 1);
  if (/[\p{Cc}\p{Z}]/u.test(localpart) || !isServerName(serverName)) return undefined;
  return { localpart, serverName };
}

/** The homeserver of a user, in lower case; undefined where there is none that could be connected to. */
export function homeserverOf(mxid: string): string | undefined {
  const serverName = parseMxid(mxid)?.serverName.toLowerCase();
  return serverName !== undefined && isReachableName(serverName) ? serverName : undefined;
}
