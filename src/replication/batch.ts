import type { ServerKeys } from '../identity/server-keys.ts';
import { nextTurn } from '../platform/next-turn.ts';
import type { StoredLocalAssociation } from '../storage/stores.ts';

/** A push as it goes over the wire. */
export interface Batch {
  /** Of the associations in it, ascending. */
  readonly ids: readonly number[];
  readonly body: string;
}

/** Bytes of a body that even Sydent takes: it drops the connection of one over 512 KiB. */
const MOST_BYTES = 480 * 1024;
/** Signatures between turns of the event loop: about 2 ms. */
const SIGNED_AT_ONCE = 25;

/** Signs log entries for a peer: as many, from the first on, as fit into one push. */
export async function signBatch(
  entries: readonly StoredLocalAssociation[],
  keys: ServerKeys,
): Promise<Batch> {
  const members: string[] = [];
  const ids: number[] = [];
  let bytes = 0;
  for (const { id, medium, address, mxid, ts, notBefore, notAfter } of entries) {
    const association = {
      ...{ medium, address, ts },
      // Peers want every member, of a deletion too.
      mxid: mxid ?? null,
      not_before: notBefore ?? null,
      not_after: notAfter ?? null,
    };
    const member = `"${id}":${JSON.stringify(keys.signForPeers(association))}`;
    bytes += Buffer.byteLength(member) + 1;
    if (bytes > MOST_BYTES && ids.length > 0) break;
    members.push(member);
    ids.push(id);
    if (ids.length % SIGNED_AT_ONCE === 0) await nextTurn();
  }
  return { ids, body: `{"sgAssocs":{${members.join(',')}}}` };
}
