import type { Logger } from 'pino';
import type { MessageKind } from '../identity/messages/message-events.ts';
import type { MessageTrail } from '../identity/messages/message-trail.ts';
import type { Medium } from '../model/addresses.ts';
import type { Clock } from '../platform/clock.ts';
import type { Metrics } from '../platform/metrics.ts';
import { asciiDomain } from './mail/message.ts';

/** What became of a message as it was handed over. `unknown`: nobody knows whether it was taken. */
export type Outcome = 'sent' | 'refused' | 'unreachable' | 'unknown' | 'overloaded';

/** What an operator can change against a failure. */
export interface Advice {
  /** What is told once, however many messages fail for it. */
  readonly cause: string;
  readonly text: string;
}

export interface MessageOutcome {
  readonly outcome: Outcome;
  /** What there is to know of it; nothing secret is in it. */
  readonly fields: Readonly<Record<string, string | number | undefined>>;
  readonly advice?: Advice | undefined;
}

/** A message, as far as it is told of. */
export interface ReportedMessage {
  readonly medium: Medium;
  readonly kind: MessageKind;
  /** Folded; for the trail only. */
  readonly address: string;
}

/** Tells of one message: a line in the log, a metric, an event of its trail. */
export type Report = (message: ReportedMessage, outcome: MessageOutcome) => void;

export interface ReporterDependencies {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, 'message'>;
  readonly trail: Pick<MessageTrail, 'note'>;
}

/** Milliseconds in which the same cause is not told again. */
const SILENCE = 60 * 60 * 1000;

const WORDS: Record<Medium, Record<'sent' | 'unknown' | 'failed', string>> = {
  email: {
    sent: 'Mail sent',
    unknown: 'The relay did not say whether it took a mail',
    failed: 'Mail not sent',
  },
  msisdn: {
    sent: 'Text message sent',
    unknown: 'The provider did not say whether it took a text message',
    failed: 'Text message not sent',
  },
};

const isKnown = (outcome: Outcome) => outcome === 'sent' || outcome === 'unknown';

/** As names are in results and stored events: `message_id`. */
export const inSnakeCase = (name: string) =>
  name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** A relay or a provider may repeat to whom a message goes: that is for nobody who reads the log, or gets its errors. */
function withoutAddress(text: string, address: string): string {
  const forms = [address, asciiDomain(address)].map(escaped);
  return text.replaceAll(new RegExp(forms.join('|'), 'gi'), () => '(address)');
}

export function createReporter({ logger, clock, metrics, trail }: ReporterDependencies): Report {
  /** By cause; there are as many as there are texts of ours. */
  const told = new Map<string, number>();

  function advise({ cause, text }: Advice): void {
    const now = clock.monotonic();
    const last = told.get(cause);
    if (last !== undefined && now - last < SILENCE) return;
    told.set(cause, now);
    logger.error(text);
  }

  return ({ medium, kind, address }, { outcome, fields: given, advice }) => {
    const fields = Object.fromEntries(
      Object.entries(given).map(([name, value]) => [
        name,
        typeof value === 'string' ? withoutAddress(value, address) : value,
      ]),
    );
    metrics.message(medium, kind, outcome);
    if (advice !== undefined) advise(advice);
    const words = WORDS[medium][isKnown(outcome) ? (outcome as 'sent' | 'unknown') : 'failed'];
    logger[outcome === 'sent' ? 'info' : 'error']({ kind, outcome, ...fields }, words);
    const named = Object.entries(fields).map(([name, value]) => [inSnakeCase(name), value]);
    trail.note({
      event: isKnown(outcome) ? (outcome as 'sent' | 'unknown') : 'not-sent',
      medium,
      address,
      details: {
        what: kind,
        ...(isKnown(outcome) ? {} : { outcome }),
        ...Object.fromEntries(named),
        advice: advice?.text,
      },
    });
  };
}
