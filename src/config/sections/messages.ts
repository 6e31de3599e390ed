import { days, type Key } from '../keys.ts';
import type { ConfigReader } from '../reader.ts';

/** What is remembered of mails and text messages. */
export interface MessagesConfig {
  /** Milliseconds; 0: nothing, they are only counted. */
  readonly kept: number;
}

/** Keys of `[messages]`. */
export const MESSAGES = {
  keptDays: {
    section: 'messages',
    name: 'kept_days',
    default: '7',
    parse: days,
    own: true,
    about:
      'For how many days it is kept what became of each mail and text message, as cognomen trace ADDRESS shows it: nothing of their text, no code. 0: not at all, they are only counted.',
  },
} satisfies Record<string, Key<unknown>>;

export const readMessages = (reader: ConfigReader): MessagesConfig => ({
  kept: reader.read(MESSAGES.keptDays),
});
