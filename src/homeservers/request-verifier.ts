import { IdentityError } from '../identity/errors.ts';
import { isServerName } from '../identity/server-name.ts';
import { verifySignedJson } from '../signing/signed-json.ts';
import { toIdentityError } from './failures.ts';
import type { FindKeys, VerifyKeys } from './keys.ts';
import { parseXMatrix, type XMatrix } from './x-matrix.ts';

/** A request that a homeserver has signed, as received. */
export interface SignedRequest {
  readonly method: string;
  /** Path and query. */
  readonly uri: string;
  /** The parsed JSON body; undefined when there is none. */
  readonly content: unknown;
  /** Every Authorization header. */
  readonly authorization: readonly string[];
}

/**
 * Which homeserver has signed the request for this server.
 * @throws IdentityError `signature-refused`, `parameter-invalid` for an origin that is no server name,
 * `homeserver-failed` when its keys cannot be had, `overloaded`
 */
export type VerifyRequest = (request: SignedRequest) => Promise<{ readonly origin: string }>;

/** Names by which clients, and so homeservers, know this server: hosts with a port and a path maybe. */
export function ownNames(names: {
  readonly serverName: string;
  readonly clientHttpBase: string;
  readonly serverAliases: readonly string[];
}): readonly string[] {
  const { host, pathname } = new URL(names.clientHttpBase);
  const path = pathname.replace(/\/$/, '');
  return [...new Set([names.serverName, host, `${host}${path}`, ...names.serverAliases])];
}

/** More than any homeserver has keys; each costs a few verifications. */
const MAX_SIGNATURES = 10;

const refused = (message: string) => new IdentityError('signature-refused', message);

function originOf(signatures: readonly XMatrix[]): string {
  const [first, ...others] = signatures;
  if (first === undefined) {
    throw refused('The request needs a well-formed Authorization header of the scheme X-Matrix');
  }
  if (!isServerName(first.origin)) {
    throw new IdentityError('parameter-invalid', 'origin is not a valid server name');
  }
  if (others.some(({ origin }) => origin !== first.origin)) {
    throw refused('The request is signed by several servers');
  }
  return first.origin;
}

export function createRequestVerifier(deps: {
  readonly findKeys: FindKeys;
  /** As `ownNames` gives them. */
  readonly ownNames: readonly string[];
}): VerifyRequest {
  const known = new Set(deps.ownNames.map((name) => name.toLowerCase()));

  /** What may have been signed as the destination. */
  function destinationsOf({ destination }: XMatrix): readonly string[] {
    if (destination === undefined) return deps.ownNames;
    return known.has(destination.toLowerCase()) ? [destination] : [];
  }

  function isSigned(request: SignedRequest, signature: XMatrix, keys: VerifyKeys): boolean {
    const key = keys.get(signature.key);
    if (key === undefined) return false;
    const { method, uri, content } = request;
    const { origin } = signature;
    const common = {
      method,
      uri,
      origin,
      ...(content === undefined ? {} : { content }),
      signatures: { [origin]: { [signature.key]: signature.sig } },
    };
    return destinationsOf(signature).some((name) =>
      [
        // Synapse towards identity servers; the specification.
        { destination_is: name },
        { destination: name },
        { destination_is: name, destination: name },
      ].some((destination) =>
        verifySignedJson({ ...common, ...destination }, origin, signature.key, key),
      ),
    );
  }

  return async (request) => {
    const signatures = request.authorization.flatMap(parseXMatrix).slice(0, MAX_SIGNATURES);
    const origin = originOf(signatures);
    const forUs = signatures.filter((signature) => destinationsOf(signature).length > 0);
    if (forUs.length === 0) throw refused('The request is signed for another server');
    try {
      const keys = await deps.findKeys(
        origin,
        forUs.map(({ key }) => key),
      );
      if (forUs.some((signature) => isSigned(request, signature, keys))) return { origin };
    } catch (error) {
      throw toIdentityError(error);
    }
    throw refused(`The request is not signed by ${origin}`);
  };
}
