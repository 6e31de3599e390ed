import type { ThreePid } from '../../model/addresses.ts';
import { IdentityError, isOutcomeUnknown } from '../../model/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import { deleteInBatches } from '../../platform/delete-in-batches.ts';
import type { Leases } from '../../platform/leases.ts';
import type { Random } from '../../platform/random.ts';
import type { Session, SessionStore, Storage } from '../../storage/stores/index.ts';
import type { MessageTrail } from '../messages/message-trail.ts';
import { sameSecret } from '../secrets.ts';
import { nextLinkWithSid } from './next-link.ts';
import { createSessionClaims } from './session-claims.ts';
import { CODES, SESSION_LIFETIME, WRONG_GUESSES_ALLOWED } from './session-codes.ts';
import { createSessionQueue } from './session-queue.ts';
import { findOwned, isExpired, tryCode } from './trying-codes.ts';

/** Proving that an address is one's own: a code is sent there, and comes back. */
export interface Validation {
  /**
   * Opens or goes on with the session for the address and client secret, and sends a code when
   * `sendAttempt` is one not seen before. Resolves to the session's id.
   * @throws IdentityError `overloaded` when others have been sending for it for long; what `charge`
   * and `send` throw
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
  /** Takes down that the link of a message was opened, where it is one. Nothing comes of it, whoever opened it. */
  noteOpened(sid: number, clientSecret: string): Promise<void>;
  /**
   * A session whose address is proven.
   * @throws IdentityError `session-unknown`, `session-expired`, `session-not-validated`
   */
  validated(sid: number, clientSecret: string): Promise<ValidatedSession>;
  /** At start: what a process was sending when it died may not have gone out, and does not count. */
  recover(): Promise<void>;
  /** At a stop: what is still being sent is left to whoever is asked for it next. */
  stop(): Promise<void>;
  /** Deletes sessions past any use; the number deleted. */
  deleteOld(): Promise<number>;
}

export interface ValidationRequest {
  readonly threepid: ThreePid;
  readonly clientSecret: string;
  readonly sendAttempt: number;
  readonly nextLink: string | undefined;
  /** Asked before anything is made or sent; what it throws refuses the message. */
  readonly charge: () => Promise<void>;
  /**
   * Sends the code. When this rejects, the message was refused: the attempt does not count, and the code
   * is dead. With an UnknownOutcomeError for its cause it may have gone out, and counts as sent.
   */
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
  readonly leases: Leases;
  readonly trail: Pick<MessageTrail, 'note'>;
}

const SESSION_KEPT = 5 * SESSION_LIFETIME;

/** So long a request waits while another sends for its session. */
const PATIENCE = 30_000;
const RETRY_AFTER = 5000;

/** A session that a request goes on with. */
interface Claim {
  readonly sid: number;
  /** Who sends for it; undefined: its message was sent before. */
  readonly holder: string | undefined;
  /** The session that this one was opened in place of. */
  readonly replaced?: number | undefined;
}

/** The highest attempt of a session before any was sent; one must be greater to send. */
const NOTHING_SENT = -1;

export function createValidation(deps: ValidationDependencies): Validation {
  const { storage, clock, random } = deps;
  const claims = createSessionClaims(deps);
  const queue = createSessionQueue();

  /** The session to go on with, and the one that it was opened in place of. */
  async function open(
    sessions: SessionStore,
    request: ValidationRequest,
  ): Promise<{ session: Session; replaced: number | undefined }> {
    const { medium, address, typed } = request.threepid;
    const { clientSecret, sendAttempt } = request;
    let replaced: number | undefined;
    // A few turns are enough: each but the last follows another request's doing.
    for (let turn = 0; turn < 5; turn++) {
      const current = await sessions.findCurrent(medium, address, clientSecret);
      if (current !== undefined) {
        const startOver =
          isExpired(current, clock) || (current.validated && sendAttempt > current.sentAttempt);
        if (!startOver) return { session: current, replaced };
        await sessions.retire(current.id);
        replaced = current.id;
      }
      const id = random.integer53();
      const modifiedAt = clock.now();
      await sessions.create({ id, medium, address, typed, clientSecret, modifiedAt });
    }
    throw new Error('No validation session could be opened');
  }

  /** The session, claimed for this request unless its attempt was sent already. */
  function claim(request: ValidationRequest): Promise<Claim | { readonly busy: number }> {
    return storage.transaction(async ({ sessions }) => {
      const { session, replaced } = await open(sessions, request);
      const { id: sid, sentAttempt, sendingUntil } = session;
      // One that only opens a session is not a repeat: it is charged, though it sends nothing.
      const isRepeat = sentAttempt > NOTHING_SENT && request.sendAttempt <= sentAttempt;
      if (isRepeat) return { sid, holder: undefined };
      if (claims.holds(sendingUntil)) return { busy: sid };
      const lease = claims.make();
      await sessions.claimSend(sid, lease);
      return { sid, replaced, holder: lease.holder };
    });
  }

  /** As `claim`, once nobody else sends for the session. */
  async function claimInTurn(request: ValidationRequest): Promise<Claim> {
    let patience: AbortSignal | undefined;
    for (;;) {
      const claimed = await claim(request);
      if (!('busy' in claimed)) return claimed;
      patience ??= AbortSignal.timeout(PATIENCE);
      if (patience.aborted || !(await queue.next(claimed.busy))) {
        throw new IdentityError('overloaded', 'A message is being sent already; try again later', {
          details: { retry_after_ms: RETRY_AFTER },
        });
      }
    }
  }

  /** Has the limits asked; what they refuse leaves the sessions as they were. */
  async function charge(
    request: ValidationRequest,
    { sid, replaced }: Claim,
    holder: string,
  ): Promise<void> {
    try {
      await request.charge();
    } catch (error) {
      await storage.transaction(async ({ sessions }) => {
        await sessions.releaseSend(sid, holder);
        // What each refused request left behind would add up, whatever the limit.
        const isGone = await sessions.deleteUnused(sid);
        if (isGone && replaced !== undefined) {
          await sessions.restore(replaced, request.clientSecret);
        }
      });
      throw error;
    }
  }

  /** Makes the code, sends it, and notes what became of it. */
  async function sendCode(request: ValidationRequest, sid: number, holder: string): Promise<void> {
    const { medium, typed } = request.threepid;
    const { make, replacesEarlier } = CODES[medium];
    const code = make(random);
    const nextLink = request.nextLink && nextLinkWithSid(request.nextLink, sid);
    let guessesBefore = 0;
    let failure: unknown;
    try {
      guessesBefore = await storage.transaction(({ sessions }) =>
        sessions.prepareSend(sid, holder, { code, typed, nextLink, now: clock.now() }),
      );
      await request.send(code, sid);
    } catch (error) {
      if (!isOutcomeUnknown(error)) {
        await storage.transaction(({ sessions }) => sessions.abandonSend(sid, holder, code));
        throw error;
      }
      failure = error;
    }
    const replaceCodes = replacesEarlier || guessesBefore >= WRONG_GUESSES_ALLOWED;
    try {
      await storage.transaction(({ sessions }) =>
        sessions.confirmSend(sid, holder, { attempt: request.sendAttempt, replaceCodes }),
      );
    } catch (error) {
      // The message is out: its code stays, as when the process dies.
      await storage.stores.sessions.releaseSend(sid, holder);
      throw error;
    }
    if (failure !== undefined) throw failure;
  }

  return {
    async request(request) {
      const claimed = await claimInTurn(request);
      const { sid, holder } = claimed;
      if (holder === undefined) return sid;
      const release = queue.take(sid);
      const letGo = claims.keep(sid, holder);
      try {
        await charge(request, claimed, holder);
        if (request.sendAttempt > NOTHING_SENT) await sendCode(request, sid, holder);
        else await storage.stores.sessions.releaseSend(sid, holder);
      } finally {
        letGo();
        release();
      }
      return sid;
    },

    async submit(sid, clientSecret, given) {
      const { session, event, error } = await storage.transaction(({ sessions }) =>
        tryCode(sessions, { sid, clientSecret, given }, clock),
      );
      const { medium, address, nextLink } = session;
      if (event !== undefined) deps.trail.note({ event, medium, address });
      // Thrown only now: the wrong guess counted in the transaction has to stay counted.
      if (error !== undefined) throw error;
      return { nextLink };
    },

    async noteOpened(sid, clientSecret) {
      // The page is shown all the same where the database is away.
      const session = await storage.stores.sessions.find(sid).catch(() => undefined);
      if (session === undefined || !sameSecret(clientSecret, session.clientSecret)) return;
      const { medium, address } = session;
      deps.trail.note({ event: 'opened', medium, address });
    },

    async validated(sid, clientSecret) {
      const session = await findOwned(storage.stores.sessions, { sid, clientSecret }, clock);
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
    stop: claims.releaseAll,

    async deleteOld() {
      const before = clock.now() - SESSION_KEPT;
      return deleteInBatches((limit) =>
        storage.transaction(({ sessions }) => sessions.deleteModifiedBefore(before, limit)),
      );
    },
  };
}
