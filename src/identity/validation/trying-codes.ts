import { IdentityError } from '../../model/errors.ts';
import { shortenedAddress } from '../../model/shortened-address.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Session, SessionStore } from '../../storage/stores/index.ts';
import type { MessageEventName } from '../messages/message-events.ts';
import { sameSecret } from '../secrets.ts';
import { CODES, liveCodes, SESSION_LIFETIME, WRONG_GUESSES_ALLOWED } from './session-codes.ts';
import { isShortCodeOf } from './short-code.ts';

/** A session, and what proves that one may go on with it. */
export interface OwnedSession {
  readonly sid: number;
  readonly clientSecret: string;
}

/** A code that came back. */
interface Tried {
  readonly session: Session;
  /** Undefined where it changed nothing. */
  readonly event?: MessageEventName;
  readonly error?: IdentityError;
}

/** Whether it is past any use, but for who was told of its address. */
export const isExpired = ({ modifiedAt }: Session, clock: Clock): boolean =>
  clock.now() >= modifiedAt + SESSION_LIFETIME;

/**
 * The session, for whoever knows its client secret.
 * @throws IdentityError `session-unknown`, `session-expired`
 */
export async function findOwned(
  sessions: SessionStore,
  { sid, clientSecret }: OwnedSession,
  clock: Clock,
): Promise<Session> {
  const session = await sessions.find(sid);
  if (session === undefined || !sameSecret(clientSecret, session.clientSecret)) {
    throw new IdentityError(
      'session-unknown',
      'There is no validation session with this sid and client_secret',
    );
  }
  if (isExpired(session, clock)) {
    throw new IdentityError('session-expired', 'The validation session has expired');
  }
  return session;
}

/**
 * Tries a code that came back, and counts where it is wrong: what it throws undoes that.
 * @throws what `findOwned` throws
 */
export async function tryCode(
  sessions: SessionStore,
  { given, ...owned }: OwnedSession & { readonly given: string },
  { clock, shortCodes }: { readonly clock: Clock; readonly shortCodes: boolean },
): Promise<Tried> {
  const session = await findOwned(sessions, owned, clock);
  const refused = (event: MessageEventName, ...why: ConstructorParameters<typeof IdentityError>) =>
    ({ session, event, error: new IdentityError(...why) }) as const;
  const codes = liveCodes(session, await sessions.codes(owned.sid));
  if (codes.length === 0 && session.wrongGuesses >= WRONG_GUESSES_ALLOWED) {
    const why = 'Too many wrong tokens were tried; ask for a new one';
    return refused('wrong-code', 'session-expired', why);
  }
  const isShort = shortCodes && session.medium === 'email';
  const matching = codes.find(
    ({ code }) => sameSecret(given, code) || (isShort && isShortCodeOf(code, given)),
  );
  if (matching === undefined) {
    await sessions.countWrongGuess(owned.sid);
    return refused('wrong-code', 'token-incorrect', 'The token is not the one that was sent');
  }
  if (session.validated) return { session };
  if (clock.now() >= matching.createdAt + CODES[session.medium].lifetime) {
    return refused('late-code', 'session-expired', 'The token has expired; ask for a new one');
  }
  await sessions.markValidated(owned.sid, clock.now());
  return { session, event: 'proven' };
}

/** Characters of a code that need no counting of guesses. */
const NEVER_GUESSED = 32;

/** The address, shortened, for who has a code of the session. Such a try is not counted: short codes are refused. */
export async function shownAddress(
  sessions: SessionStore,
  { sid, clientSecret, given }: OwnedSession & { readonly given: string },
): Promise<string | undefined> {
  if (given.length < NEVER_GUESSED) return undefined;
  const session = await sessions.find(sid);
  if (session === undefined || !sameSecret(clientSecret, session.clientSecret)) return undefined;
  const { sendingCode, medium, address } = session;
  const codes = [...(await sessions.codes(sid)), ...(sendingCode ? [sendingCode] : [])];
  const isRight = codes.some(({ code }) => sameSecret(given, code));
  return isRight ? shortenedAddress(medium, address) : undefined;
}
