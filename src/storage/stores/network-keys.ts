/** The keys by which the log names client networks, one a week. */
export interface NetworkKeyStore {
  /** The week's key: that one where there is none yet. */
  keyOf(week: number, fresh: string): Promise<string>;
  deleteBefore(week: number): Promise<void>;
}
