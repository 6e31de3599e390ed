import type { RefusedAssociation, StoredLocalAssociation } from '../storage/stores/index.ts';

/** How to go on with a batch of which a peer refused some. */
export interface Passage {
  /** What it will take of the batch's beginning. */
  readonly send: readonly StoredLocalAssociation[];
  /** Given up: refused for too long. */
  readonly skipped: readonly number[];
  /** The peer is done up to this id once it has `send`; undefined: it gets no further now. */
  readonly upTo: number | undefined;
}

/**
 * Goes up to the first refused association, or past those that have been refused since before `overdue`.
 * A peer that refuses all there is has the wrong key: nothing is given up then.
 */
export function passRefused(
  entries: readonly StoredLocalAssociation[],
  refusedNow: ReadonlySet<number>,
  known: readonly RefusedAssociation[],
  overdue: number,
): Passage {
  const takesSome = entries.some(({ id }) => !refusedNow.has(id));
  const given = new Set(
    known
      .filter(({ id, since }) => takesSome && refusedNow.has(id) && since <= overdue)
      .map((r) => r.id),
  );
  const blocked = entries.findIndex(({ id }) => refusedNow.has(id) && !given.has(id));
  const passed = blocked < 0 ? entries : entries.slice(0, blocked);
  return {
    send: passed.filter(({ id }) => !refusedNow.has(id)),
    skipped: passed.filter(({ id }) => given.has(id)).map(({ id }) => id),
    upTo: passed.at(-1)?.id,
  };
}
