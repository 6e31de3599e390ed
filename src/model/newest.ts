/** What the associations of an address are told apart by: when they were made (ms), and where they are stored. */
export interface Dated {
  readonly ts: number;
  readonly id: number;
}

/** Whether the candidate counts, and not the other: the newest does; of two made at once, the one stored last. */
export function isNewer(candidate: Dated, than: Dated | undefined): boolean {
  if (than === undefined) return true;
  return candidate.ts > than.ts || (candidate.ts === than.ts && candidate.id > than.id);
}

/** The one that counts of several associations of an address. */
export function newestOf<T extends Dated>(found: readonly T[]): T | undefined {
  let newest: T | undefined;
  for (const association of found) if (isNewer(association, newest)) newest = association;
  return newest;
}
