import type { ThreePid } from '../../model/addresses.ts';
import { IdentityError, isOutcomeUnknown } from '../../model/errors.ts';
import { shortenedAddress } from '../../model/shortened-address.ts';
import type { Clock } from '../../platform/clock.ts';
import { deleteInBatches } from '../../platform/delete-in-batches.ts';
import type { Leases } from '../../platform/leases.ts';
import type { Random } from '../../platform/random.ts';
import type { Session, SessionStore, Storage } from '../../storage/stores/index.ts';
import type { Charged } from '../limits/limits.ts';
import type { MessageTrail } from '../messages/message-trail.ts';
import { sameSecret } from '../secrets.ts';
import { nextLinkWithSid } from './next-link.ts';
import { createSessionClaims } from './session-claims.ts';
import { CODES, SESSION_LIFETIME, WRONG_GUESSES_ALLOWED } from './session-codes.ts';
import { createSessionQueue } from './session-queue.ts';
import { findOwned, isExpired, shownAddress, tryCode } from './trying-codes.ts';

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
    how?: {
      /** Whether the short code made of a mail's token is as good, whatever mails of clients have. */
      readonly shortCodes: boolean;
    },
  ): Promise<Submitted>;
  /** Takes down that the link of a message was opened, where it is one. Nothing comes of it, whoever opened it. */
  noteOpened(sid: number, clientSecret: string): Promise<void>;
  /** The address of a session, shortened, for who has a code of it that nobody can guess; expired ones, too. */
  shownAddress(sid: number, clientSecret: string, code: string): Promise<string | undefined>;
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
  /** Asked before anything is written or sent; what it throws refuses the message. */
  readonly charge: () => Promise<Charged>;
  /**
   * Sends the code. When this rejects, the message was refused: the attempt does not count, and the code
   * is dead. With an UnknownOutcomeError for its cause it may have gone out, and counts as sent.
   */
  readonly send: (code: string, sid: number) => Promise<void>;
}

export interface Submitted {
  readonly nextLink: string | undefined;
  /** The proven address, shortened. */
  readonly shownAddress: string;
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
  /** Whether the short code in a mail is as good as its token. */
  readonly shortCodes: boolean;
}

const SESSION_KEPT = 5 * SESSION_LIFETIME;

/** So long a request waits while another sends for its session. */
const PATIENCE = 30_000;
const RETRY_AFTER = 5000;

/** What a request has begun: with a code, that is to be sent now. */
interface Begun {
  readonly sid: number;
  readonly sending?: {
    readonly holder: string;
    readonly code: string;
    readonly guessesBefore: number;
  };
}

/** What a request has before it begins: its message was sent before, or somebody sends for its session. */
type Before = { readonly sent: number } | { readonly busy: number } | undefined;

/** The highest attempt of a session before any was sent; one must be greater to send. */
const NOTHING_SENT = -1;

export function createValidation(deps: ValidationDependencies): Validation {
  const { storage, clock, random } = deps;
  const claims = createSessionClaims(deps);
  const queue = createSessionQueue();

  /** The session to go on with; undefined where there is to be a new one. */
  const usable = (current: Session | undefined, { sendAttempt }: ValidationRequest) => {
    const isOver =
      current !== undefined &&
      (isExpired(current, clock) || (current.validated && sendAttempt > current.sentAttempt));
    return isOver ? undefined : current;
  };

  const currentOf = (sessions: SessionStore, { threepid, clientSecret }: ValidationRequest) =>
    sessions.findCurrent(threepid.medium, threepid.address, clientSecret);

  async function open(sessions: SessionStore, request: ValidationRequest): Promise<Session> {
    const { medium, address, typed } = request.threepid;
    const { clientSecret } = request;
    // A few turns are enough: each but the last follows another request's doing.
    for (let turn = 0; turn < 5; turn++) {
      const current = await currentOf(sessions, request);
      const session = usable(current, request);
      if (session !== undefined) return session;
      if (current !== undefined) await sessions.retire(current.id);
      const id = random.integer53();
      const modifiedAt = clock.now();
      await sessions.create({ id, medium, address, typed, clientSecret, modifiedAt });
    }
    throw new Error('No validation session could be opened');
  }

  function before(session: Session | undefined, { sendAttempt }: ValidationRequest): Before {
    if (session === undefined) return undefined;
    const { id, sentAttempt, sendingUntil } = session;
    // One that only opens a session is not a repeat: it is charged, though it sends nothing.
    if (sentAttempt > NOTHING_SENT && sendAttempt <= sentAttempt) return { sent: id };
    return claims.holds(sendingUntil) ? { busy: id } : undefined;
  }

  /** Opens the session, claims it, and stores the code that is to be sent, unless another request did. */
  function begin(request: ValidationRequest): Promise<Begun | NonNullable<Before>> {
    const { medium, typed } = request.threepid;
    const code = CODES[medium].make(random);
    return storage.transaction(async ({ sessions }) => {
      const session = await open(sessions, request);
      const found = before(session, request);
      if (found !== undefined) return found;
      const { id: sid, wrongGuesses: guessesBefore } = session;
      if (request.sendAttempt <= NOTHING_SENT) return { sid };
      const lease = claims.make();
      const nextLink = request.nextLink && nextLinkWithSid(request.nextLink, sid);
      await sessions.beginSend(session, lease, { code, typed, nextLink, now: clock.now() });
      return { sid, sending: { holder: lease.holder, code, guessesBefore } };
    });
  }

  /** Sends the code, and notes what became of it. */
  async function send(request: ValidationRequest, { sid, sending }: Begun): Promise<void> {
    if (sending === undefined) return;
    const { holder, code, guessesBefore } = sending;
    let failure: unknown;
    try {
      await request.send(code, sid);
    } catch (error) {
      if (!isOutcomeUnknown(error)) {
        await storage.transaction(({ sessions }) => sessions.abandonSend(sid, holder, code));
        throw error;
      }
      failure = error;
    }
    const { replacesEarlier } = CODES[request.threepid.medium];
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

  const look = async (request: ValidationRequest) =>
    before(usable(await currentOf(storage.stores.sessions, request), request), request);

  const sentOf = (found: Before) => (found && 'sent' in found ? found.sent : undefined);

  /** Looks what there is, has the limits asked, and only then writes anything. The session's id, unless it is busy. */
  async function answer(request: ValidationRequest): Promise<number | undefined> {
    const found = await look(request);
    if (found !== undefined) return sentOf(found);
    const charged = await request.charge();
    const begun = await begin(request);
    if (!('sid' in begun)) {
      // Another process was first.
      charged.giveBack();
      return sentOf(begun);
    }
    const letGo = begun.sending && claims.keep(begun.sid, begun.sending.holder);
    try {
      await send(request, begun);
    } finally {
      letGo?.();
    }
    return begun.sid;
  }

  return {
    async request(request) {
      const { threepid, clientSecret } = request;
      const key = JSON.stringify([threepid.medium, threepid.address, clientSecret]);
      let patience: AbortSignal | undefined;
      for (;;) {
        const release = queue.take(key);
        try {
          // A repeat waits for nothing that is being sent.
          const sid = release ? await answer(request) : sentOf(await look(request));
          if (sid !== undefined) return sid;
        } finally {
          release?.();
        }
        patience ??= AbortSignal.timeout(PATIENCE);
        if (patience.aborted || !(await queue.next(key))) {
          throw new IdentityError(
            'overloaded',
            'A message is being sent already; try again later',
            { details: { retry_after_ms: RETRY_AFTER } },
          );
        }
      }
    },

    async submit(sid, clientSecret, given, how) {
      const { session, event, error } = await storage.transaction(({ sessions }) =>
        tryCode(sessions, { sid, clientSecret, given }, { ...deps, ...how }),
      );
      const { medium, address, nextLink } = session;
      if (event !== undefined) deps.trail.note({ event, medium, address });
      // Thrown only now: the wrong guess counted in the transaction has to stay counted.
      if (error !== undefined) throw error;
      return { nextLink, shownAddress: shortenedAddress(medium, address) };
    },

    async noteOpened(sid, clientSecret) {
      // The page is shown all the same where the database is away.
      const session = await storage.stores.sessions.find(sid).catch(() => undefined);
      if (session === undefined || !sameSecret(clientSecret, session.clientSecret)) return;
      const { medium, address } = session;
      deps.trail.note({ event: 'opened', medium, address });
    },

    shownAddress: (sid, clientSecret, given) =>
      shownAddress(storage.stores.sessions, { sid, clientSecret, given }).catch(() => undefined),

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
