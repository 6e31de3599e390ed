import type { Medium } from '../../model/addresses.ts';
import type { Clock } from '../../platform/clock.ts';
import type { PhoneNumber } from '../../platform/phone-numbers.ts';
import type { Storage } from '../../storage/stores/index.ts';

/** Messages by which an operator tries whether the relay, or the provider of text messages, works. */
export interface TestMessages {
  mail(to: string): Promise<TestedMessage>;
  sms(to: PhoneNumber): Promise<TestedMessage>;
}

/** What became of one. */
export interface TestedMessage {
  readonly sent: boolean;
  /** What became of it, in the words of the log. */
  readonly outcome: string;
  readonly details: Readonly<Record<string, string | number>>;
  /** What was said, without what is secret in it. */
  readonly dialogue: readonly DialogueLine[];
  /** What to change where it failed, where one can tell. */
  readonly advice?: string;
}

export interface DialogueLine {
  readonly from: 'server' | 'relay' | 'provider';
  readonly line: string;
}

/** So many tests are allowed within so long (ms), by commands and servers together. */
const ALLOWED = { times: 10, within: 60 * 60 * 1000 };

/**
 * Counts a test, where there may be another.
 * @returns milliseconds until there may be one; 0: now, and it is counted
 */
export function countTest(
  storage: Pick<Storage, 'logTransaction'>,
  clock: Clock,
  medium: Medium,
): Promise<number> {
  const key = `tested ${medium}`;
  // Under the lock of the log no two count at once.
  return storage.logTransaction(async ({ state }) => {
    const now = clock.now();
    const before: unknown = JSON.parse((await state.get(key)) ?? '[]');
    const times = (Array.isArray(before) ? before : [])
      .map(Number)
      // A clock that has stepped back since locks nobody out.
      .filter((time) => time <= now && time > now - ALLOWED.within);
    if (times.length >= ALLOWED.times) return Math.min(...times) + ALLOWED.within - now;
    await state.set(key, JSON.stringify([...times, now]));
    return 0;
  });
}
