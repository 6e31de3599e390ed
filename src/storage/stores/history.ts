/** A number of an hour. */
export interface HistoryRow {
  /** Whole hours since the epoch. */
  readonly hour: number;
  readonly metric: string;
  readonly value: number;
}

/** How much there was of what, hour by hour. */
export interface HistoryStore {
  /** Adds to what other processes have written. @param rows no hour and metric may be in it twice */
  add(rows: readonly HistoryRow[]): Promise<void>;
  /** The same, in place of what stands there. */
  put(rows: readonly HistoryRow[]): Promise<void>;
  /** Of the hours from the one to the other, that one not among them, in their order. */
  between(from: number, to: number): Promise<HistoryRow[]>;
  /** How many rows were deleted. */
  deleteBefore(hour: number): Promise<number>;
}
