import type { Caller } from '../identity/limits/charges.ts';
import type { HomeserverRequests } from '../identity/limits/homeserver-requests.ts';
import { IdentityError } from '../model/errors.ts';
import { isReachableName } from '../model/server-name.ts';
import { decodeBase64 } from '../signing/base64.ts';
import { CanonicalJsonError, canonicalJson } from '../signing/canonical-json.ts';
import { verifySignature } from '../signing/ed25519.ts';
import type { AskNamed } from './failures.ts';
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
 * @throws IdentityError `signature-refused`, `parameter-invalid` for an origin that is not a server name,
 * `homeserver-failed` when its keys cannot be had, `overloaded`, `limit-exceeded`
 */
export type VerifyRequest = (
  request: SignedRequest,
  caller: Caller,
) => Promise<{ readonly origin: string }>;

/** Names by which clients, and so homeservers, know this server: hosts with or without a port and a path. */
export function ownNames(names: {
  readonly serverName: string;
  readonly clientHttpBase: string;
  readonly serverAliases: readonly string[];
}): readonly string[] {
  const { host, pathname } = new URL(names.clientHttpBase);
  const path = pathname.replace(/\/$/, '');
  const written = [names.serverName, host, `${host}${path}`, ...names.serverAliases];
  // Clients, who say under which name a homeserver signs, often write it in lower case.
  return [...new Set(written.flatMap((name) => [name, name.toLowerCase()]))];
}

/** A homeserver signs with one key, or with two while it changes them; each costs a few verifications. */
const MAX_SIGNATURES = 4;

const refused = (message: string) => new IdentityError('signature-refused', message);

function originOf(signatures: readonly XMatrix[]): string {
  const [first, ...others] = signatures;
  if (first === undefined) {
    throw refused('The request needs a well-formed Authorization header of the scheme X-Matrix');
  }
  if (!isReachableName(first.origin)) {
    throw new IdentityError('parameter-invalid', 'origin is not a valid server name');
  }
  if (others.some(({ origin }) => origin !== first.origin)) {
    throw refused('The request is signed by several servers');
  }
  return first.origin;
}

/** What is signed for a destination, in canonical JSON. */
type MessageFor = (destination: Readonly<Record<string, string>>) => string;

/** @throws IdentityError `signature-refused` for a body that nobody can have signed */
function messagesOf({ method, uri, content }: SignedRequest, origin: string): MessageFor {
  try {
    // The body may be long: it is rendered once. Its name is the first of all in alphabetical order.
    const first = content === undefined ? '' : `"content":${canonicalJson(content)},`;
    return (destination) =>
      `{${first}${canonicalJson({ method, uri, origin, ...destination }).slice(1)}`;
  } catch (error) {
    if (!(error instanceof CanonicalJsonError)) throw error;
    throw refused('The body of the request cannot have been signed');
  }
}

export function createRequestVerifier(deps: {
  readonly findKeys: FindKeys;
  readonly askNamed: AskNamed;
  readonly requests: HomeserverRequests;
  /** As `ownNames` gives them. */
  readonly ownNames: readonly string[];
}): VerifyRequest {
  const known = new Set(deps.ownNames.map((name) => name.toLowerCase()));

  /** What may have been signed as the destination. */
  function destinationsOf({ destination }: XMatrix): readonly string[] {
    if (destination === undefined) return deps.ownNames;
    return known.has(destination.toLowerCase()) ? [destination] : [];
  }

  function isSigned(signature: XMatrix, keys: VerifyKeys, messageFor: MessageFor): boolean {
    const key = keys.get(signature.key);
    const bytes = decodeBase64(signature.sig);
    if (key === undefined || bytes === undefined) return false;
    return destinationsOf(signature).some((name) =>
      [
        // Synapse towards identity servers; the specification.
        { destination_is: name },
        { destination: name },
        { destination_is: name, destination: name },
      ].some((destination) => verifySignature(key, messageFor(destination), bytes)),
    );
  }

  return async (request, caller) => {
    const signatures = request.authorization.flatMap(parseXMatrix).slice(0, MAX_SIGNATURES);
    const origin = originOf(signatures);
    const forUs = signatures.filter((signature) => destinationsOf(signature).length > 0);
    if (forUs.length === 0) throw refused('The request is signed for another server');
    const keyIds = forUs.map(({ key }) => key);
    const { askNamed, requests, findKeys } = deps;
    const keys = await askNamed(origin, () =>
      findKeys(origin, keyIds, (ask) =>
        requests.run(origin.toLowerCase(), caller, () => askNamed(origin, ask)),
      ),
    );
    const messageFor = messagesOf(request, origin);
    if (forUs.some((signature) => isSigned(signature, keys, messageFor))) return { origin };
    throw refused(`The request is not signed by ${origin}`);
  };
}
