import { isObject } from '../signing/json.ts';
import type { Signatures } from '../signing/signed-json.ts';
import type { ServerKeys } from './server-keys.ts';
import { isSameServer } from './server-name.ts';

/** What this server vouches for, as it stands on the wire (specification, `3pid/bind`); times in ms. */
export interface Association {
  readonly medium: string;
  readonly address: string;
  readonly mxid: string;
  readonly ts: number;
  readonly not_before: number;
  readonly not_after: number;
}

export type SignedAssociation = Association & { readonly signatures: Signatures };

/** An association holds for 100 years of 365 days. */
const LIFETIME = 100 * 365 * 24 * 60 * 60 * 1000;

/** How far ahead (ms) a peer's clock may be for what it dates to count as newer than what is dated now. */
export const CLOCK_TOLERANCE = 24 * 60 * 60 * 1000;

/** @param ts may lie ahead of `now`, to come after what is known already; it is valid from now on. */
export function newAssociation(
  threepid: { medium: string; address: string },
  mxid: string,
  { ts, now }: { ts: number; now: number },
): Association {
  const { medium, address } = threepid;
  const not_before = Math.min(ts, now);
  return { medium, address, mxid, ts, not_before, not_after: ts + LIFETIME };
}

/** A stored association, as it stands on the wire. */
export function toAssociation(stored: {
  readonly medium: string;
  readonly address: string;
  readonly mxid: string;
  readonly ts: number;
  readonly notBefore: number;
  readonly notAfter: number;
}): Association {
  const { medium, address, mxid, ts, notBefore, notAfter } = stored;
  return { medium, address, mxid, ts, not_before: notBefore, not_after: notAfter };
}

/**
 * A stored signed association as lookups answer it: with this server's signature, and without the
 * invitations that Sydent stored in some (they are other people's business).
 */
export function forLookup(
  { signedJson, originServer }: { readonly signedJson: string; readonly originServer: string },
  keys: ServerKeys,
): object {
  const stored: unknown = JSON.parse(signedJson);
  if (!isObject(stored)) throw new Error('A stored association is no JSON object');
  const { invites, signatures, ...association } = stored;
  const existing = isObject(signatures) ? signatures : {};
  // With `invites` gone no signature fits any more, whoever made it.
  if (invites !== undefined) return keys.sign(association);
  const isOwn = isSameServer(originServer, keys.serverName);
  if (isOwn && Object.hasOwn(existing, keys.serverName)) return stored;
  // What stands under this server's name in another case, or in what a peer sent, nobody has checked.
  const others = Object.entries(existing).filter(([name]) => !isSameServer(name, keys.serverName));
  return keys.sign({ ...association, signatures: Object.fromEntries(others) });
}
