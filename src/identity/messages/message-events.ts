import type { Medium } from '../../model/addresses.ts';

/** What a message is for. */
export type MessageKind = 'verification' | 'invitation' | 'owner-notice' | 'test';

/** What can become of a message, and of its address after it. */
export type MessageEventName =
  /** A client wants one sent, and may. */
  | 'asked'
  /** A client asked for what was sent before: nothing is sent. */
  | 'repeated'
  | 'refused'
  /** Nothing is sent, as the owner of the address wants none; who asked is not told. */
  | 'withheld'
  /** The relay, or the provider, has taken it. */
  | 'sent'
  | 'not-sent'
  /** Nobody knows whether it was taken. */
  | 'unknown'
  /** It came back, is held up, or has arrived: so its mail server, or the recipient's, reports. */
  | 'bounced'
  | 'delayed'
  | 'delivered'
  /** The page behind the link was opened, which asks for a click. */
  | 'opened'
  | 'wrong-code'
  /** The right code came too late, or after too many wrong ones. */
  | 'late-code'
  | 'proven'
  | 'bound'
  /** The user's homeserver has taken notice of the binding. */
  | 'told'
  | 'not-told';

/** Something that became of a message. No text of a message, code, token or client secret is in it. */
export interface NotedEvent {
  readonly event: MessageEventName;
  readonly medium: Medium;
  /** Folded. */
  readonly address: string;
  /** The user who asks, or whose the address becomes. */
  readonly mxid?: string | undefined;
  /** What else there is to know, by names in snake_case; what is not known is left out. */
  readonly details?: Readonly<Record<string, string | number | undefined>> | undefined;
}

interface Rule {
  /** Whether those of a day that say the same are added up: whatever is not limited as messages are. */
  readonly addsUp?: true;
  /** Whether anybody can cause it for any address, so that there has to be a bound of its own. */
  readonly isOpen?: true;
  /** Whether it is of interest only after something else of its address. */
  readonly follows?: true;
}

export const RULES: Readonly<Record<MessageEventName, Rule>> = {
  asked: {},
  repeated: { addsUp: true },
  refused: { addsUp: true, isOpen: true },
  withheld: { addsUp: true },
  sent: {},
  'not-sent': {},
  unknown: {},
  bounced: { addsUp: true },
  delayed: { addsUp: true },
  delivered: { addsUp: true },
  opened: { addsUp: true },
  'wrong-code': { addsUp: true },
  'late-code': { addsUp: true },
  proven: {},
  bound: { addsUp: true },
  told: { addsUp: true, follows: true },
  'not-told': { addsUp: true, follows: true },
};
