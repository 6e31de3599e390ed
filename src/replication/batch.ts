import type { ServerKeys } from '../identity/server-keys.ts';
import { yieldToEventLoop } from '../platform/yield-to-event-loop.ts';
import type { StoredLocalAssociation } from '../storage/stores/index.ts';

/** A push as it goes over the wire. */
export interface Batch {
  /** Of the log, by ascending id. */
  readonly entries: readonly StoredLocalAssociation[];
  readonly body: string;
}

/** Bytes of a body that even Sydent takes: it drops the connection of one over 512 KiB. */
const MAX_BYTES = 480 * 1024;
/** Signed at the same time: a fraction of a millisecond of work here, more of it in other threads. */
const SIGNED_AT_ONCE = 8;

async function sign(entry: StoredLocalAssociation, keys: ServerKeys): Promise<string> {
  const { id, medium, address, mxid, ts, notBefore, notAfter } = entry;
  const signed = await keys.signForPeers({
    medium,
    address,
    ts,
    // Peers want every member, of a deletion too.
    mxid: mxid ?? null,
    not_before: notBefore ?? null,
    not_after: notAfter ?? null,
  });
  return `"${id}":${JSON.stringify(signed)}`;
}

/** Signs log entries for a peer: as many, from the first on, as fit into one push. */
export async function signBatch(
  entries: readonly StoredLocalAssociation[],
  keys: ServerKeys,
): Promise<Batch> {
  const members: string[] = [];
  let bytes = 0;
  for (let from = 0; from < entries.length; from += SIGNED_AT_ONCE) {
    const portion = entries.slice(from, from + SIGNED_AT_ONCE);
    for (const member of await Promise.all(portion.map((entry) => sign(entry, keys)))) {
      bytes += Buffer.byteLength(member) + 1;
      if (bytes > MAX_BYTES && members.length > 0) return batchOf(entries, members);
      members.push(member);
    }
    await yieldToEventLoop();
  }
  return batchOf(entries, members);
}

const batchOf = (
  entries: readonly StoredLocalAssociation[],
  members: readonly string[],
): Batch => ({
  entries: entries.slice(0, members.length),
  body: `{"sgAssocs":{${members.join(',')}}}`,
});
