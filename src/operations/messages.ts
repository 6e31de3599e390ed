import { messageOutcomes } from '../identity/messages/outcomes.ts';
import {
  aBoolean,
  aList,
  anInteger,
  anObject,
  aString,
  aWordOf,
  type Described,
  describedAs,
} from '../model/json-schema.ts';
import { wholeNumber } from './input.ts';
import type { Operation } from './operation.ts';
import { plain, time } from './text.ts';

const DAY = 24 * 60 * 60 * 1000;
const DEFAULT_DAYS = 7;
const MOST_DAYS = 35;

const aMedium = aWordOf('email', 'msisdn');

const OUTCOMES = anObject({
  since: anInteger,
  complete: describedAs(
    'Whether all since then was looked at; else `since` is later than was asked for',
    aBoolean,
  ),
  events: aList(anObject({ medium: aMedium, event: aString, times: anInteger })),
  replies: describedAs(
    'Replies of relays and providers, those that mean the same added up: without addresses, numbers and ids',
    aList(
      anObject({
        medium: aMedium,
        event: aString,
        reply: aString,
        times: anInteger,
        last: anInteger,
      }),
    ),
  ),
  domains: describedAs(
    'Domains of recipients to which mails failed',
    aList(anObject({ domain: aString, sent: anInteger, failed: anInteger })),
  ),
});

/** What became of the messages of late, to all. */
export const showOutcomes: Operation<Described<typeof OUTCOMES>> = {
  resource: 'messages',
  about: 'What goes out to people: what became of it, and what it looks like',
  action: 'outcomes',
  kind: 'overview',
  summary: 'What became of the messages of the last days: outcomes, replies of relays, domains',
  options: {
    days: { name: 'N', about: `Of so many days; ${DEFAULT_DAYS} where it is not said` },
  },
  result: OUTCOMES,
  async run({ options }, { storage, clock }) {
    const days = wholeNumber('days', options['days'] ?? String(DEFAULT_DAYS), MOST_DAYS);
    const since = clock.now() - days * DAY;
    const { isComplete, ...outcomes } = await messageOutcomes(storage.stores, since);
    return { ...outcomes, complete: isComplete };
  },
  text: ({ since, events, replies, domains }) =>
    [
      `since ${time(since)}`,
      ...events.map(({ medium, event, times }) => `${medium}  ${event}  ${times}`),
      ...(replies.length > 0 ? ['', 'what relays and providers said'] : []),
      ...replies.map(
        ({ medium, event, reply, times, last }) =>
          `${times}  ${medium} ${event}, last ${time(last)}: ${plain(reply)}`,
      ),
      ...(domains.length > 0 ? ['', 'domains to which mails failed'] : []),
      ...domains.map(
        ({ domain, sent, failed }) => `${plain(domain)}  ${failed} failed, ${sent} sent`,
      ),
    ].join('\n'),
};
