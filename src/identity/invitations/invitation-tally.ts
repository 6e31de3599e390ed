import { parseMxid } from '../../model/mxid.ts';
import type { InviteGist } from '../../storage/stores/index.ts';

/** What pending invitations can be counted by. */
export const GROUPINGS = ['age', 'inviter', 'homeserver', 'room'] as const;
export type Grouping = (typeof GROUPINGS)[number];

const DAY = 24 * 60 * 60 * 1000;
const AGES = [
  ['day', DAY],
  ['week', 7 * DAY],
  ['month', 30 * DAY],
  ['quarter', 90 * DAY],
  ['older', Infinity],
] as const;

/** Groups that are known at a time; beyond twice as many the smallest are forgotten. */
const KNOWN = 20_000;

export interface InvitationGroup {
  readonly of: string;
  readonly pending: number;
  /** Milliseconds. */
  readonly oldest: number | undefined;
}

export interface InvitationTally {
  see(some: readonly InviteGist[]): void;
  /** All that were pending. */
  readonly pending: number;
  /** Whether each group was counted from its first to its last. */
  readonly isExact: boolean;
  /** The largest; ages in their order. */
  largest(count: number): InvitationGroup[];
}

/** Counts pending invitations by groups, in bounded memory. */
export function createInvitationTally(
  by: Grouping,
  now: number,
  known: number = KNOWN,
): InvitationTally {
  let groups = new Map<string, { pending: number; oldest: number | undefined }>();
  let pending = 0;
  let isExact = true;

  const ageOf = (at: number | undefined) =>
    at === undefined ? 'unknown' : (AGES.find(([, age]) => now - at < age)?.[0] ?? 'older');
  const groupOf = ({ sender, roomId, receivedAt }: InviteGist): string => {
    if (by === 'age') return ageOf(receivedAt);
    if (by === 'room') return roomId;
    return by === 'inviter' ? sender : (parseMxid(sender)?.serverName.toLowerCase() ?? '');
  };
  const sorted = () => [...groups].sort(([, a], [, b]) => b.pending - a.pending);

  return {
    see(some) {
      for (const invite of some) {
        if (invite.deliveredAt !== undefined) continue;
        pending++;
        const group = groupOf(invite);
        const before = groups.get(group);
        const ages = [before?.oldest, invite.receivedAt].filter((at) => at !== undefined);
        const oldest = ages.length === 0 ? undefined : Math.min(...ages);
        groups.set(group, { pending: (before?.pending ?? 0) + 1, oldest });
      }
      if (groups.size <= 2 * known) return;
      groups = new Map(sorted().slice(0, known));
      isExact = false;
    },
    get pending() {
      return pending;
    },
    get isExact() {
      return isExact;
    },
    largest(count) {
      const order: readonly string[] = [...AGES.map(([name]) => name), 'unknown'];
      const all = sorted().map(([of, group]) => ({ of, ...group }));
      if (by === 'age') all.sort((a, b) => order.indexOf(a.of) - order.indexOf(b.of));
      return all.slice(0, count);
    },
  };
}
