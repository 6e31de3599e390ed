import { isSameServer } from '../../model/server-name.ts';
import { isObject } from '../../signing/json.ts';
import type { Signatures } from '../../signing/signed-json.ts';
import type { FoundSignedAssociation } from '../../storage/stores/index.ts';
import type { ServerKeys } from '../server-keys.ts';

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

/** The members of an association, beside its signatures. */
const MEMBERS = ['medium', 'address', 'mxid', 'ts', 'not_before', 'not_after'] as const;

/** Those members that an association does not have. */
export const membersBeside = (object: object): string[] =>
  Object.keys(object).filter(
    (name) => name !== 'signatures' && !MEMBERS.some((member) => member === name),
  );

const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.isWellFormed();

/** The association in an object that may hold more; undefined when there is none. */
function associationIn(object: Record<string, unknown>): Association | undefined {
  const { medium, address, mxid, ts, not_before, not_after } = object;
  if (!isText(medium) || !isText(address) || !isText(mxid)) return undefined;
  if (![ts, not_before, not_after].every(Number.isSafeInteger)) return undefined;
  return { medium, address, mxid, ts, not_before, not_after } as Association;
}

/** The signatures of those servers, without what cannot be one. */
function signaturesOf(signatures: unknown, isWanted: (serverName: string) => boolean): Signatures {
  const servers = Object.entries(isObject(signatures) ? signatures : {});
  return Object.fromEntries(
    servers.flatMap(([name, byServer]) => {
      if (!isWanted(name) || !isObject(byServer)) return [];
      const texts = Object.entries(byServer).filter(([, text]) => typeof text === 'string');
      return texts.length === 0 ? [] : [[name, Object.fromEntries(texts) as Signatures[string]]];
    }),
  );
}

function parse(json: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(json);
    return isObject(parsed) ? parsed : {};
  } catch {
    return {};
  }
}

/** What the signed JSON of a row holds: the association, and all of the object; undefined when there is none. */
export function signedIn({
  signedJson,
}: {
  readonly signedJson: string;
}): { readonly association: Association; readonly object: object } | undefined {
  const object = parse(signedJson);
  const association = associationIn(object);
  return association && { association, object };
}

/**
 * A stored association as lookups answer it: exactly an association, with this server's signature and that of
 * the peer it is from. Sydent and earlier versions also stored what peers sent beside it, invitations above
 * all: with that gone the stored signature fits no more, whoever made it, and this server signs alone.
 * Undefined for a row that holds none at all.
 */
export function forLookup(
  stored: Omit<FoundSignedAssociation, 'key' | 'id'>,
  keys: ServerKeys,
): SignedAssociation | undefined {
  const { serverName } = keys;
  const { signatures, ...signed } = parse(stored.signedJson);
  const known = associationIn(signed);
  if (known === undefined || membersBeside(signed).length > 0) {
    const association = known ?? associationIn({ ...toAssociation(stored) });
    return association && keys.sign(association);
  }
  const { originServer } = stored;
  if (!isSameServer(originServer, serverName)) {
    return keys.sign({
      ...known,
      signatures: signaturesOf(signatures, (name) => isSameServer(name, originServer)),
    });
  }
  // What stands under this server's name in another case, or in what a peer sent, nobody has checked.
  const own = signaturesOf(signatures, (name) => name === serverName);
  return own[serverName] === undefined ? keys.sign(known) : { ...known, signatures: own };
}
