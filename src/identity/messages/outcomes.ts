import type { Medium } from '../../model/addresses.ts';
import { yieldToEventLoop } from '../../platform/yield-to-event-loop.ts';
import type { MessageEvent, Stores } from '../../storage/stores/index.ts';
import type { MessageEventName } from './message-events.ts';
import { patternOfReply } from './reply-patterns.ts';

/** Replies that mean the same. */
export interface ReplyGroup {
  readonly medium: Medium;
  readonly event: string;
  /** Without what differs each time: nobody's address is in it. */
  readonly reply: string;
  readonly times: number;
  readonly last: number;
}

/** How mails to the addresses of a domain fare. */
export interface DomainOutcomes {
  readonly domain: string;
  readonly sent: number;
  readonly failed: number;
}

/** What became of messages of late; times in milliseconds. */
export interface MessageOutcomes {
  /** Since when; later than was asked for, where there was too much to look at. */
  readonly since: number;
  readonly isComplete: boolean;
  readonly events: readonly { readonly medium: Medium; readonly event: string; times: number }[];
  /** The most frequent first. */
  readonly replies: readonly ReplyGroup[];
  /** Those with the most failures first; none without one. */
  readonly domains: readonly DomainOutcomes[];
}

/** Events that are looked at: the newest of all. */
const MOST_EVENTS = 20_000;
/** Events of a piece: a few milliseconds, while which nobody else is answered. */
const PIECE = 200;
/** Different ones that are told apart, and of these the first of the order are told. */
const MOST_REPLIES = { counted: 1000, told: 50 };
const MOST_DOMAINS = { counted: 10_000, told: 50 };

const FAILED: readonly string[] = ['not-sent', 'bounced'] satisfies MessageEventName[];
const ANSWERED: readonly string[] = [
  ...FAILED,
  ...(['sent', 'unknown', 'delayed'] satisfies MessageEventName[]),
];

type Counted<T> = { -readonly [name in keyof T]: T[name] };

/** The one of that key, made anew where there is room for one more. */
function oneOf<T>(all: Map<string, T>, key: string, most: number, made: () => T): T | undefined {
  const known = all.get(key);
  if (known !== undefined || all.size >= most) return known;
  const one = made();
  all.set(key, one);
  return one;
}

function createCounter() {
  const events = new Map<string, MessageOutcomes['events'][number]>();
  const replies = new Map<string, Counted<ReplyGroup>>();
  const domains = new Map<string, Counted<DomainOutcomes>>();

  function countReply({ medium, event, address, details, times, last }: MessageEvent): void {
    const said = details['reply'] ?? details['reason'];
    if (said === undefined) return;
    const reply = patternOfReply(String(said), address);
    const made = () => ({ medium, event, reply, times: 0, last: 0 });
    const group = oneOf(replies, `${medium} ${event} ${reply}`, MOST_REPLIES.counted, made);
    if (group === undefined) return;
    group.times += times;
    group.last = Math.max(group.last, last);
  }

  function countDomain({ event, address, times }: MessageEvent): void {
    const domain = address.slice(address.lastIndexOf('@') + 1);
    const made = () => ({ domain, sent: 0, failed: 0 });
    const one = oneOf(domains, domain, MOST_DOMAINS.counted, made);
    if (one === undefined) return;
    if (event === 'sent') one.sent += times;
    else if (FAILED.includes(event)) one.failed += times;
  }

  return {
    count(one: MessageEvent): void {
      const { medium, event, times } = one;
      const sum = oneOf(events, `${medium} ${event}`, 100, () => ({ medium, event, times: 0 }));
      if (sum !== undefined) sum.times += times;
      if (!ANSWERED.includes(event)) return;
      countReply(one);
      if (medium === 'email') countDomain(one);
    },
    result: (): Omit<MessageOutcomes, 'since' | 'isComplete'> => ({
      events: [...events.values()],
      replies: [...replies.values()].sort((a, b) => b.times - a.times).slice(0, MOST_REPLIES.told),
      domains: [...domains.values()]
        .filter(({ failed }) => failed > 0)
        .sort((a, b) => b.failed - a.failed)
        .slice(0, MOST_DOMAINS.told),
    }),
  };
}

/**
 * What became of the messages since then, as far as that is kept: goes back from the newest event, piece by piece.
 */
export async function messageOutcomes(
  { messageEvents }: Pick<Stores, 'messageEvents'>,
  since: number,
): Promise<MessageOutcomes> {
  const counter = createCounter();
  let before: number | undefined;
  let oldest = since;
  for (let seen = 0; seen < MOST_EVENTS; seen += PIECE) {
    const some = await messageEvents.newest(before, PIECE);
    // Ids grow with time.
    const recent = some.filter(({ last }) => last >= since);
    for (const one of recent) counter.count(one);
    if (recent.length < PIECE) return { since, isComplete: true, ...counter.result() };
    before = some.at(-1)?.id;
    oldest = some.at(-1)?.first ?? since;
    await yieldToEventLoop();
  }
  return { since: oldest, isComplete: false, ...counter.result() };
}
