import { isSameServer } from './server-name.ts';

/**
 * Which of the associations of an address count, in the order of their dates. Times are milliseconds since
 * the epoch.
 */

/** What the associations of an address are told apart by: when they were made, and where they are stored. */
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

/**
 * How far ahead a server's clock may be. What is dated further ahead is not taken; where it was stored before
 * that was so, it counts as older than all that comes after it.
 */
export const CLOCK_TOLERANCE = 24 * 60 * 60 * 1000;

/** From when on a date is too far ahead, for what this server itself says: peers must take it. */
export const aheadOf = (now: number): number => now + CLOCK_TOLERANCE;

/** The date of something new: now, but after these dates, even when clocks step back; those too far ahead aside. */
export const dateAfter = (dates: readonly number[], now: number): number =>
  Math.max(now, ...dates.filter((ts) => ts < aheadOf(now)).map((ts) => ts + 1));

/** What a server said of an address: whom it is bound to, or that it is bound no more. */
export interface Statement {
  readonly originServer: string;
  /** Its place in what that server said; Infinity for its last word. */
  readonly originId: number;
  readonly ts: number;
}

/**
 * Whether something new said of an address is to remove a stored association of it.
 * @param ahead what is dated then or later counts as older than anything that comes
 */
export function replaces(
  { originServer, originId, ts, deletes }: Statement & { readonly deletes: boolean },
  stored: Statement,
  ahead: number,
): boolean {
  const isOlder = stored.ts <= ts || stored.ts >= ahead;
  // A binding leaves those of other servers: of these the newest counts.
  if (!isSameServer(originServer, stored.originServer)) {
    return deletes ? isOlder : stored.ts >= ahead;
  }
  // Of what a server said itself the ids tell the order.
  const isEarlier = stored.originId < originId;
  return deletes ? isEarlier || stored.ts <= ts : isEarlier && isOlder;
}
