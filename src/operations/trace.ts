import type { MessageEventName } from '../identity/messages/message-events.ts';
import {
  aList,
  aMap,
  aNumber,
  anInteger,
  anObject,
  aString,
  describedAs,
  eitherOf,
  type Schema,
} from '../model/json-schema.ts';
import { LIMITS } from '../model/limits.ts';
import type { MessageEvent } from '../storage/stores/index.ts';
import { parseThreePidOf } from './input.ts';
import type { Operation } from './operation.ts';
import { lines, plain, time } from './text.ts';

/** What became of the messages to an address; times in milliseconds. */
export interface Trail {
  readonly medium: string;
  readonly address: string;
  /** For how many days events are kept. */
  readonly kept_days: number;
  readonly events: readonly TrailEvent[];
}

type TrailEvent = Omit<MessageEvent, 'medium' | 'address'> & {
  /** What happened, in a sentence. */
  readonly words: string;
};

type Details = Readonly<Record<string, string | number>>;

const DAY = 24 * 60 * 60 * 1000;

/** Why something was refused, by the reason in its details; others are names of limits, or say it themselves. */
const REASONS: Readonly<Record<string, string>> = {
  'address-in-use': 'the address is bound to a user already',
  'destination-rejected': 'text messages do not go to such numbers (smsrule, sms.destinations)',
  'not-permitted': 'such invitations are blocked, or the sender is not who asks',
  overloaded: 'a message to the address was being sent already',
  'sms-off': 'this server sends no text messages ([sms] username is empty)',
};

function refusal(reason: string): string {
  if (Object.hasOwn(LIMITS, reason)) return `the limit ${reason} was reached`;
  return REASONS[reason] ?? reason;
}

/** Each that is known, after what it is. */
const parts = (...named: readonly (readonly [string, string | number | undefined])[]): string =>
  named
    .flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}${name === '' ? '' : ' '}${plain(String(value))}`],
    )
    .join(', ');

const after = (text: string, more: string) => (more === '' ? text : `${text}: ${more}`);

/** How the relay or provider took a message, or did not. */
const handed = (details: Details): string =>
  parts(
    ['', details['reply'] ?? details['reason']],
    ['by the provider', details['provider']],
    ['Message-ID', details['message_id']],
    ['queue id', details['queue_id']],
    ['request id', details['request_id']],
    ['brand', details['brand']],
  );

/** What a mail server says of a mail that it was handed. */
const reported = (details: Details): string =>
  parts(
    ['', details['status']],
    ['', details['reply']],
    ['by', details['remote']],
    ['Message-ID', details['message_id']],
  );

const askedBy = (mxid: string | undefined, details: Details): string =>
  parts(['by', mxid], ['from the network', details['client']], ['for the brand', details['brand']]);

const invitations = (details: Details) => {
  const count = Number(details['invitations'] ?? 0);
  return count === 0 ? '' : ` and ${count} invitations`;
};

const WORDS: Record<MessageEventName, (details: Details, mxid: string | undefined) => string> = {
  asked: (details, mxid) =>
    details['by'] === undefined
      ? after(`${details['what']} asked for`, askedBy(mxid, details))
      : `${details['what']} of ${mxid} sent once more by ${details['by']}`,
  repeated: (details, mxid) =>
    after(
      `${details['what']} asked for with a send_attempt that was sent before, so nothing was sent`,
      askedBy(mxid, details),
    ),
  refused: (details, mxid) =>
    `${after(`${details['what']} refused, because ${plain(refusal(String(details['reason'])))}`, askedBy(mxid, details))}`,
  withheld: (details) =>
    `${details['what']} not mailed, because the owner of the address refuses them (invites allow ADDRESS ends that); who invited was not told`,
  sent: (details) => after(`${details['what']} handed over`, handed(details)),
  'not-sent': (details) =>
    `${after(`${details['what']} not sent (${details['outcome']})`, handed(details))}${details['advice'] === undefined ? '' : `. ${plain(String(details['advice']))}`}`,
  unknown: (details) =>
    after(
      `${details['what']} handed over, and no answer came: it may have arrived`,
      handed(details),
    ),
  bounced: (details) => after(`${details['what']} came back`, reported(details)),
  delayed: (details) => after(`${details['what']} not delivered yet`, reported(details)),
  delivered: (details) => after(`${details['what']} delivered`, reported(details)),
  opened: () => 'the page behind the link was opened',
  'wrong-code': () => 'a wrong code came back, or one that was dead after too many of these',
  'late-code': () => 'the right code came back too late',
  proven: () => 'the address was proven',
  bound: (_details, mxid) => `bound to ${plain(mxid ?? '')}`,
  told: (details) =>
    `${plain(String(details['homeserver']))} took notice of the binding${invitations(details)}`,
  'not-told': (details) =>
    `${plain(String(details['homeserver']))} did not take notice of the binding${invitations(details)}: ${plain(String(details['reason']))}`,
};

const wordsOf = ({ event, mxid, details }: Omit<MessageEvent, 'medium' | 'address'>): string =>
  plain(WORDS[event as MessageEventName]?.(details, mxid) ?? event);

function line({ first, last, times, words, details }: TrailEvent): string {
  const request = parts(['request', details['request']]);
  return `${time(first)}  ${words}${times > 1 ? ` (${times} times, last ${time(last)})` : ''}${request === '' ? '' : ` [${request}]`}`;
}

const TRAIL = anObject({
  medium: aString,
  address: aString,
  kept_days: aNumber,
  events: aList(
    anObject(
      {
        event: aString,
        first: anInteger,
        last: anInteger,
        times: anInteger,
        details: aMap(eitherOf(aString, aNumber)),
        words: describedAs('What happened, in a sentence', aString),
      },
      { mxid: aString },
    ),
  ),
});

/** What became of the mails or text messages to an address. */
export const trace: Operation<Trail> = {
  resource: 'trace',
  kind: 'person',
  summary:
    'What became of the messages to an address: asked for, refused, taken by the relay, proven, bound',
  argument: {
    name: 'ADDRESS',
    about: 'An email address in any case, or a phone number with its calling code',
    required: true,
  },
  result: TRAIL as Schema<Trail>,
  async run({ argument = '' }, { config, storage }) {
    const { medium, address } = parseThreePidOf(argument);
    const events = await storage.stores.messageEvents.of(medium, address);
    return {
      medium,
      address,
      kept_days: config.messages.kept / DAY,
      events: events.map(({ medium: _medium, address: _address, ...event }) => ({
        ...event,
        words: wordsOf(event),
      })),
    };
  },
  text: ({ address, kept_days: days, events }) =>
    lines(
      events,
      line,
      days === 0
        ? `nothing is kept of messages: [messages] kept_days = 0`
        : `nothing of messages to ${plain(address)} in the last ${days} days`,
    ),
  found: ({ events }) => events.length > 0,
};
