import type { TLSSocket } from 'node:tls';
import { namesOf } from '../../replication/certificates.ts';
import type { FindPeers, Peer } from '../../replication/peers.ts';
import { ApiError } from '../http/errors.ts';

/** Most names a certificate is looked at for. */
const MAX_NAMES = 100;

/** The names in the caller's certificate, which TLS has verified. */
function namesOfCaller(socket: TLSSocket): string[] {
  const certificate = socket.authorized ? socket.getPeerCertificate() : undefined;
  const commonName: unknown = certificate?.subject?.CN;
  const commonNames = (Array.isArray(commonName) ? commonName : [commonName]).filter(
    (name) => typeof name === 'string',
  );
  return namesOf({ commonNames, alternativeNames: certificate?.subjectaltname });
}

/**
 * The peer that calls: the active one whose name stands in its certificate, as the Common Name first.
 * @throws ApiError `M_UNKNOWN_PEER`
 */
export async function identifyCaller(socket: TLSSocket, findPeers: FindPeers): Promise<Peer> {
  const names = namesOfCaller(socket).slice(0, MAX_NAMES);
  const known = await findPeers(names);
  const peer = names
    .map((name) => known.find((candidate) => candidate.name.toLowerCase() === name))
    .find((candidate) => candidate !== undefined);
  if (peer !== undefined) return peer;
  throw new ApiError(403, 'M_UNKNOWN_PEER', 'This peer is not known to this server');
}
