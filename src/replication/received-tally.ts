import type { StateStore } from '../storage/stores/index.ts';
import { LEFT_OUT, type LeftOutReason } from './received-association.ts';

/** What becomes of an association that a peer sends: taken in, or refused or left out by a rule. */
export const RECEIVED = ['bound', 'deleted', 'signature', ...LEFT_OUT] as const;
export type ReceivedRule = 'bound' | 'deleted' | 'signature' | LeftOutReason;

/** How many there were, and when the last came, in milliseconds. */
export interface Tally {
  readonly count: number;
  readonly last: number;
}

export type ReceivedTally = Readonly<Partial<Record<ReceivedRule, Tally>>>;

const keyOf = (peer: string) => `received_from ${peer}`;

/** What has come from the peer since this was first noted. */
export async function receivedFrom(
  state: Pick<StateStore, 'get'>,
  peer: string,
): Promise<ReceivedTally> {
  const text = await state.get(keyOf(peer));
  return text === undefined ? {} : JSON.parse(text);
}

/** Adds to it. To be called under the log's lock, as others add to it, too. */
export async function noteReceived(
  state: StateStore,
  peer: string,
  counts: Readonly<Partial<Record<ReceivedRule, number>>>,
  now: number,
): Promise<void> {
  const before = await receivedFrom(state, peer);
  const added = RECEIVED.flatMap((rule): [ReceivedRule, Tally][] => {
    const count = counts[rule] ?? 0;
    return count === 0 ? [] : [[rule, { count: (before[rule]?.count ?? 0) + count, last: now }]];
  });
  if (added.length === 0) return;
  await state.set(keyOf(peer), JSON.stringify({ ...before, ...Object.fromEntries(added) }));
}

/** Forgets it, with the peer. */
export const forgetReceived = (state: StateStore, peer: string): Promise<void> =>
  state.delete(keyOf(peer));
