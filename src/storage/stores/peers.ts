import type { Lease } from '../../platform/leases.ts';

/** A server that replicates with this one. Times are milliseconds since the epoch. */
export interface Peer {
  /** Its `server.name`. */
  readonly name: string;
  readonly port: number | undefined;
  /** Where it listens, instead of at its name and port; given by command. */
  readonly url: string | undefined;
  readonly active: boolean;
  /** Its ed25519 keys as stored: base64, or hex. */
  readonly keys: readonly string[];
  /** The log id up to which it has everything; undefined: it was sent nothing yet. */
  readonly lastSent: number | undefined;
  readonly lastSuccessAt: number | undefined;
  readonly lastFailure: { readonly at: number; readonly reason: string } | undefined;
}

export interface PeerSettings {
  readonly name: string;
  readonly port: number | undefined;
  readonly url: string | undefined;
  readonly keys: readonly string[];
}

/** An association that a peer does not take, and since when. */
export interface RefusedAssociation {
  readonly id: number;
  readonly since: number;
}

export interface PeerStore {
  /** By name; all of them, or those of these names. */
  list(names?: readonly string[]): Promise<Peer[]>;
  /** Those of these names, which are in lower case; rows made by hand may have them in any. */
  named(names: readonly string[]): Promise<Peer[]>;
  /** Makes the peer, active, or changes the one of that name; whether it is a new one. */
  save(peer: PeerSettings): Promise<boolean>;
  /** These two: whether there is such a peer. */
  remove(name: string): Promise<boolean>;
  setActive(name: string, active: boolean): Promise<boolean>;
  /** Makes the lease's holder the one process that pushes to the peer; false while another is. */
  claim(name: string, lease: Lease): Promise<boolean>;
  release(name: string, holder: string): Promise<void>;
  /** Moves on what the peer has, unless somebody else has moved it since `from` was read. */
  advance(name: string, from: number | undefined, to: number, now: number): Promise<void>;
  noteFailure(name: string, reason: string, now: number): Promise<void>;
  noteRefused(name: string, ids: readonly number[], now: number): Promise<void>;
  /** Those refused and not passed yet, by id. */
  refused(name: string): Promise<RefusedAssociation[]>;
  /** How many log entries the peer is still to be sent; counts them one by one. */
  countBacklog(name: string): Promise<number>;
}
