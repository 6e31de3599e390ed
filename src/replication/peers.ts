import { isSameServer } from '../model/server-name.ts';
import { decodeBase64 } from '../signing/base64.ts';
import { createVerifier, type Verifier } from '../signing/ed25519.ts';
import type { Peer, PeerStore } from '../storage/stores/index.ts';

const DEFAULT_PORT = 1001;
export const PUSH_PATH = '/_matrix/identity/replicate/v1/push';

/** A peer's key as its row has it: base64, or hex as in the oldest days; undefined when it is neither. */
export function peerKey(text: string): Uint8Array | undefined {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex');
  const bytes = decodeBase64(text);
  return bytes?.length === 32 ? bytes : undefined;
}

/** The peer's keys, ready for many signatures; rows that hold none are passed over. */
export function verifiersOf(peer: Peer): Verifier[] {
  return peer.keys
    .map(peerKey)
    .map((key) => (key === undefined ? undefined : createVerifier(key)))
    .filter((verifier) => verifier !== undefined);
}

/** Only an active peer with a key takes part. */
export const takesPart = (peer: Peer) => peer.active && peer.keys.length > 0;

/** What is known under the peer's name: exactly that, else in another case. */
export const ofPeer = <T>(byName: ReadonlyMap<string, T>, name: string): T | undefined =>
  byName.get(name) ?? [...byName].find(([known]) => isSameServer(known, name))?.[1];

/**
 * Where a peer is pushed to.
 * @param configuredUrl from the peer's section of the configuration; it counts most.
 */
export function pushUrl(peer: Peer, configuredUrl: string | undefined): string {
  const base =
    configuredUrl ?? peer.url ?? `https://${peer.name}:${String(peer.port ?? DEFAULT_PORT)}`;
  return base + PUSH_PATH;
}

/** Finds the peers that take part under any of these names, which are in lower case. */
export type FindPeers = (names: readonly string[]) => Promise<readonly Peer[]>;

export const createFindPeers =
  (store: PeerStore): FindPeers =>
  async (names) =>
    (await store.named(names)).filter(takesPart);

export type { Peer };
