import type { Medium } from '../../model/addresses.ts';
import type { Random } from '../../platform/random.ts';
import type { Session, SessionCode } from '../../storage/stores/index.ts';

const MINUTE = 60 * 1000;

/** Milliseconds, counted from the last modification: the creation or the validation. */
export const SESSION_LIFETIME = 24 * 60 * MINUTE;

/** So many wrong codes between two sends, and the codes are dead. */
export const WRONG_GUESSES_ALLOWED = 10;

/** How a code of each medium is made, and how long it can be used. */
export const CODES = {
  email: {
    make: (random: Random) => random.alphanumeric(32),
    lifetime: SESSION_LIFETIME,
    replacesEarlier: false,
  },
  msisdn: {
    make: (random: Random) => random.digits(6),
    lifetime: 10 * MINUTE,
    replacesEarlier: true,
  },
} satisfies Record<Medium, object>;

/** Which of the codes can still be tried: guesses at those before count as well as at the one under way. */
export function liveCodes(session: Session, codes: readonly SessionCode[]): SessionCode[] {
  const { sendingCode, wrongGuesses } = session;
  const earlier = wrongGuesses < WRONG_GUESSES_ALLOWED ? codes : [];
  const isLive =
    sendingCode !== undefined && wrongGuesses - sendingCode.guessesBefore < WRONG_GUESSES_ALLOWED;
  return isLive ? [...earlier, sendingCode] : [...earlier];
}
