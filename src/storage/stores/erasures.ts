/** Somebody who was erased. */
export interface Erased {
  /** Keyed, of the address or user id. */
  readonly nameHash: string;
  readonly erasedAt: number;
  /** The entry of the log by which peers learn of it, while it is there. */
  readonly logId: number | undefined;
}

/** Who was erased, by hashes alone. To be called under the log's lock. */
export interface ErasureStore {
  /** Notes it, in place of an earlier erasure. */
  note(erased: Erased): Promise<void>;
  /** When those of these names were erased that were. */
  erasedAt(nameHashes: readonly string[]): Promise<Map<string, number>>;
  /**
   * Removes entries of the log that every peer has, or that are of erasures before then; how many.
   * @param limit of those that are looked at
   */
  removeTombstones(before: number, limit: number): Promise<number>;
  /** Peers that have not got that entry of the log yet. */
  waitingFor(logId: number): Promise<string[]>;
}
