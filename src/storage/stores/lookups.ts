/** A valid association found for a hash that was looked up. */
export interface FoundByHash {
  /** The hash, or in the others the spelling, asked for. */
  readonly key: string;
  readonly id: number;
  readonly mxid: string;
  readonly ts: number;
}

export interface FoundAssociation extends FoundByHash {
  readonly medium: string;
  readonly address: string;
}

export interface FoundSignedAssociation extends FoundAssociation {
  readonly notBefore: number;
  readonly notAfter: number;
  readonly originServer: string;
  readonly signedJson: string;
}

export interface LookupStore {
  /** All associations valid now of these folded addresses; not in any order. */
  byAddresses(addresses: readonly string[], now: number): Promise<FoundAssociation[]>;
  /** All associations valid now with these hashes by the pepper of that number; not in any order. */
  byHashes(hashes: readonly string[], now: number, pepper: number): Promise<FoundByHash[]>;
  /** All associations valid now of one folded address. */
  signedByAddress(medium: string, address: string, now: number): Promise<FoundSignedAssociation[]>;
}
