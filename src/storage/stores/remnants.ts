/** What is left in files of what was deleted. */
export interface Remnants {
  /** Of the database's file, in bytes. */
  size(): number;
  /** Empties the log of what was written, beside others that have the file open; false when they were in the way for long. */
  clear(): Promise<boolean>;
  /** In how many places the file shows one of these texts, in rows or where none are any more. */
  traces(texts: readonly string[]): Promise<number>;
  /**
   * Writes the file anew, with what is there alone. Nobody can write meanwhile, and this process does nothing else: a server
   * does without it.
   */
  readonly rewrite?: (() => Promise<void>) | undefined;
}
