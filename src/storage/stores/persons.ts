/** Whom something is kept of: the owner of a folded address, or a user. */
export type Person =
  | { readonly kind: 'address'; readonly medium: string; readonly address: string }
  | { readonly kind: 'user'; readonly mxid: string };

/** What is kept, as it is told: nothing of it is secret. Times in milliseconds. */
export type KeptRow = Readonly<Record<string, string | number | boolean | null>>;

/** A binding of a user to be found by going through all. */
export interface BoundRow {
  readonly medium: string;
  readonly address: string;
}

/** Where a person is kept, and how they are taken out. */
export interface PersonStore {
  /** All such places, in the order in which they are emptied; bindings, and the log, are not among those. */
  readonly places: readonly string[];
  /** So many at most. */
  find(place: string, person: Person, limit: number): Promise<KeptRow[]>;
  /** Erases so many at most; how many there were. To be called under the log's lock. */
  erase(place: string, person: Person, limit: number, now: number): Promise<number>;
  /** What lookups may find of the address, whoever said it. */
  bindings(medium: string, address: string): Promise<KeptRow[]>;
  /** What this server itself said of the address last. */
  statements(medium: string, address: string): Promise<KeptRow[]>;
  /** Deletes entries of the log that newer ones have replaced. */
  dropStatements(ids: readonly number[]): Promise<void>;
  /**
   * The addresses that a user is bound to in one of the two tables of associations, which are gone through in portions.
   * @param from 0: from the first on
   */
  boundTo(
    mxid: string,
    table: 'local' | 'global',
    from: number,
  ): Promise<{ readonly rows: readonly BoundRow[]; readonly next: number | undefined }>;
}
