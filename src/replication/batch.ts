import type { ServerKeys } from '../identity/server-keys.ts';
import { yieldToEventLoop } from '../platform/yield-to-event-loop.ts';
import type { StoredLocalAssociation } from '../storage/stores/index.ts';

/** A push as it goes over the wire. */
export interface Batch {
  /** Of the log, by ascending id. */
  readonly entries: readonly StoredLocalAssociation[];
  readonly body: string;
  /** The id of the key; undefined: the one that signs. */
  readonly signedBy: string | undefined;
}

/** Bytes of a body that even Sydent takes: it drops the connection of one over 512 KiB. */
const MAX_BYTES = 480 * 1024;
/** Signed at the same time: a fraction of a millisecond of work here, more of it in other threads. */
const SIGNED_AT_ONCE = 8;

async function sign(
  entry: StoredLocalAssociation,
  keys: ServerKeys,
  keyId: string | undefined,
): Promise<string> {
  const { id, medium, address, mxid, ts, notBefore, notAfter } = entry;
  // Peers want every member, of a deletion too.
  const [user, from, until] = [mxid ?? null, notBefore ?? null, notAfter ?? null];
  const association = { medium, address, ts, mxid: user, not_before: from, not_after: until };
  const signed = await keys.signForPeers(association, keyId);
  return `"${id}":${JSON.stringify(signed)}`;
}

/**
 * Signs log entries for a peer: as many, from the first on, as fit into one push.
 * @param keyId the key that the peer has on file
 */
export async function signBatch(
  entries: readonly StoredLocalAssociation[],
  keys: ServerKeys,
  keyId?: string,
): Promise<Batch> {
  const members: string[] = [];
  let bytes = 0;
  for (let from = 0; from < entries.length; from += SIGNED_AT_ONCE) {
    const portion = entries.slice(from, from + SIGNED_AT_ONCE);
    for (const member of await Promise.all(portion.map((entry) => sign(entry, keys, keyId)))) {
      bytes += Buffer.byteLength(member) + 1;
      if (bytes > MAX_BYTES && members.length > 0) return batchOf(entries, members, keyId);
      members.push(member);
    }
    await yieldToEventLoop();
  }
  return batchOf(entries, members, keyId);
}

const batchOf = (
  entries: readonly StoredLocalAssociation[],
  members: readonly string[],
  signedBy: string | undefined,
): Batch => ({
  signedBy,
  entries: entries.slice(0, members.length),
  body: `{"sgAssocs":{${members.join(',')}}}`,
});
