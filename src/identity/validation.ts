import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { BeforeSend, Session, SessionStore, Storage } from '../storage/stores.ts';
import type { Medium, ThreePid } from './addresses.ts';
import { IdentityError } from './errors.ts';
import { nextLinkWithSid } from './next-link.ts';
import { sameSecret } from './secrets.ts';

/** Proving that an address is one's own: a code is sent there, and comes back. */
export interface Validation {
  /**
   * Opens or goes on with the session for the address and client secret, and sends a code when
   * `sendAttempt` is one not seen before. Resolves to the session's id.
   */
  request(request: ValidationRequest): Promise<number>;
  /**
   * Checks a code that came back.
   * @throws IdentityError `session-unknown`, `session-expired` (or its codes), `token-incorrect`
   */
  submit(
    sid: number,
    clientSecret: string,
    code: string,
  ): Promise<{ nextLink: string | undefined }>;
  /**
   * A session whose address is proven.
   * @throws IdentityError `session-unknown`, `session-expired`, `session-not-validated`
   */
  validated(sid: number, clientSecret: string): Promise<ValidatedSession>;
  /** At start: what a process was sending when it died may not have gone out, and does not count. */
  recover(): Promise<void>;
  /** Deletes sessions past any use; the number deleted. */
  deleteOld(): Promise<number>;
}

export interface ValidationRequest {
  readonly threepid: ThreePid;
  readonly clientSecret: string;
  readonly sendAttempt: number;
  readonly nextLink: string | undefined;
  /** Sends the code; when this rejects, the attempt does not count, and codes sent before stay good. */
  readonly send: (code: string, sid: number) => Promise<void>;
}

export interface ValidatedSession {
  readonly threepid: ThreePid;
  /** Milliseconds since the epoch. */
  readonly validatedAt: number;
}

export interface ValidationDependencies {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
}

const MINUTE = 60 * 1000;
const HOUR = 60 * MINUTE;

/** Counted from the last modification: the creation or the validation. */
const SESSION_LIFETIME = 24 * HOUR;
const SESSION_KEPT = 5 * 24 * HOUR;
const DELETED_AT_ONCE = 500;

/** Longer than any mail or SMS takes; a process that died while sending holds others up so long. */
const SENDING_LIMIT = 2 * MINUTE;

/** So many wrong codes between two sends, and the codes are dead. */
const WRONG_GUESSES_ALLOWED = 10;

/** How a code of each medium is made, and how long it can be used. */
const CODES = {
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

export function createValidation({ storage, clock, random }: ValidationDependencies): Validation {
  const isExpired = (session: Session) => clock.now() >= session.modifiedAt + SESSION_LIFETIME;

  async function open(sessions: SessionStore, request: ValidationRequest): Promise<Session> {
    const { medium, address, typed } = request.threepid;
    const { clientSecret, sendAttempt } = request;
    // A few turns are enough: each but the last follows another request's doing.
    for (let turn = 0; turn < 5; turn++) {
      const current = await sessions.findCurrent(medium, address, clientSecret);
      if (current !== undefined) {
        const startOver =
          isExpired(current) || (current.validated && sendAttempt > current.sentAttempt);
        if (!startOver) return current;
        await sessions.retire(current.id);
      }
      const id = random.integer53();
      const modifiedAt = clock.now();
      await sessions.create({ id, medium, address, typed, clientSecret, modifiedAt });
    }
    throw new Error('No validation session could be opened');
  }

  /** The session, and the code to send unless this attempt was sent or is being sent. */
  function prepare(
    request: ValidationRequest,
  ): Promise<{ sid: number; send?: { code: string; before: BeforeSend } }> {
    return storage.transaction(async ({ sessions }) => {
      const session = await open(sessions, request);
      const { sendAttempt } = request;
      const now = clock.now();
      const sending = session.sending !== undefined && session.sending.until > now;
      const highest = sending ? session.sending.attempt : -1;
      if (sendAttempt <= Math.max(session.sentAttempt, highest)) return { sid: session.id };

      const { make, replacesEarlier } = CODES[session.medium];
      const code = make(random);
      const { wrongGuesses } = session;
      const before = { codes: await sessions.codes(session.id), wrongGuesses };
      await sessions.prepareSend(session.id, {
        attempt: sendAttempt,
        code,
        now,
        until: now + SENDING_LIMIT,
        typed: request.threepid.typed,
        nextLink: request.nextLink && nextLinkWithSid(request.nextLink, session.id),
        replaceCodes: replacesEarlier || wrongGuesses >= WRONG_GUESSES_ALLOWED,
      });
      return { sid: session.id, send: { code, before } };
    });
  }

  async function findOwned(
    sessions: SessionStore,
    sid: number,
    clientSecret: string,
  ): Promise<Session> {
    const session = await sessions.find(sid);
    if (session === undefined || !sameSecret(clientSecret, session.clientSecret)) {
      throw new IdentityError(
        'session-unknown',
        'There is no validation session with this sid and client_secret',
      );
    }
    if (isExpired(session)) {
      throw new IdentityError('session-expired', 'The validation session has expired');
    }
    return session;
  }

  return {
    async request(request) {
      const { sid, send } = await prepare(request);
      if (send === undefined) return sid;
      const { code, before } = send;
      const { sendAttempt } = request;
      try {
        await request.send(code, sid);
      } catch (error) {
        const limited = error instanceof IdentityError && error.fault === 'limit-exceeded';
        await storage.transaction(async ({ sessions }) => {
          await sessions.abandonSend(sid, sendAttempt, code, before);
          // A limit is none when each request beyond it leaves something behind.
          if (limited) await sessions.deleteUnused(sid);
        });
        throw error;
      }
      await storage.transaction(({ sessions }) => sessions.confirmSend(sid, sendAttempt, code));
      return sid;
    },

    async submit(sid, clientSecret, given) {
      const outcome = await storage.transaction(async ({ sessions }) => {
        const session = await findOwned(sessions, sid, clientSecret);
        if (session.wrongGuesses >= WRONG_GUESSES_ALLOWED) {
          return new IdentityError(
            'session-expired',
            'Too many wrong tokens were tried; ask for a new one',
          );
        }
        const codes = await sessions.codes(sid);
        const matching = codes.filter(({ code }) => sameSecret(given, code))[0];
        if (matching === undefined) {
          await sessions.countWrongGuess(sid);
          return new IdentityError('token-incorrect', 'The token is not the one that was sent');
        }
        if (session.validated) return session;
        if (clock.now() >= matching.createdAt + CODES[session.medium].lifetime) {
          return new IdentityError('session-expired', 'The token has expired; ask for a new one');
        }
        await sessions.markValidated(sid, clock.now());
        return session;
      });
      // Thrown only now: the wrong guess counted in the transaction has to stay counted.
      if (outcome instanceof IdentityError) throw outcome;
      return { nextLink: outcome.nextLink };
    },

    async validated(sid, clientSecret) {
      const session = await findOwned(storage.stores.sessions, sid, clientSecret);
      if (!session.validated) {
        throw new IdentityError(
          'session-not-validated',
          'The address of this validation session has not been proven yet',
        );
      }
      const { medium, address, typed } = session;
      return { threepid: { medium, address, typed }, validatedAt: session.modifiedAt };
    },

    recover: () => storage.stores.sessions.forgetSends(),

    async deleteOld() {
      const before = clock.now() - SESSION_KEPT;
      let deleted = 0;
      for (;;) {
        const batch = await storage.transaction(({ sessions }) =>
          sessions.deleteModifiedBefore(before, DELETED_AT_ONCE),
        );
        deleted += batch;
        if (batch < DELETED_AT_ONCE) return deleted;
      }
    },
  };
}
