import type { Medium } from '../../model/addresses.ts';
import type { Lease } from '../../platform/leases.ts';

/** A validation session (section "Validation sessions" of docs/architecture.md). */
export interface Session {
  readonly id: number;
  readonly medium: Medium;
  /** Folded, for comparing. */
  readonly address: string;
  /** As the user typed it, for mail and for the hashes. */
  readonly typed: string;
  readonly clientSecret: string;
  readonly validated: boolean;
  /** When it was created or, after that, validated. */
  readonly modifiedAt: number;
  /** Where the browser goes after validation, `sid` already in it. */
  readonly nextLink: string | undefined;
  /** The highest `send_attempt` whose message went out; -1 before any. */
  readonly sentAttempt: number;
  /** Until when whoever sends for the session has it for themselves; undefined: nobody does. */
  readonly sendingUntil: number | undefined;
  /** The code of a message under way, or of one whose process died. */
  readonly sendingCode: SendingCode | undefined;
  /** Wrong codes tried since the last message that was not refused. */
  readonly wrongGuesses: number;
}

/** A code sent out for a session. */
export interface SessionCode {
  readonly code: string;
  readonly createdAt: number;
}

export interface NewSession {
  readonly id: number;
  readonly medium: Medium;
  readonly address: string;
  readonly typed: string;
  readonly clientSecret: string;
  readonly modifiedAt: number;
}

export interface SendingCode extends SessionCode {
  /** Wrong codes tried before it was there. */
  readonly guessesBefore: number;
}

export interface PreparedSend {
  readonly code: string;
  readonly now: number;
  readonly typed: string;
  readonly nextLink: string | undefined;
}

export interface ConfirmedSend {
  readonly attempt: number;
  /** Whether codes sent before stop working. */
  readonly replaceCodes: boolean;
}

export interface SessionStore {
  /** In a transaction the session stays locked against others until its end. */
  find(id: number): Promise<Session | undefined>;
  /** The session that a requestToken for these goes on with. */
  findCurrent(medium: Medium, address: string, clientSecret: string): Promise<Session | undefined>;
  /** False when the id is taken or the three have a current session already. */
  create(session: NewSession): Promise<boolean>;
  /** Takes the session out of reach of findCurrent; its id goes on working. */
  retire(id: number): Promise<void>;
  codes(id: number): Promise<SessionCode[]>;
  /**
   * Gives the session, as it was read in the same transaction, to the lease's holder, who alone sends for it until then;
   * and stores the code of the message that is about to go out, valid from now on.
   */
  beginSend(session: Session, lease: Lease, send: PreparedSend): Promise<void>;
  /** Makes the holder's claim last until then, unless it is another's by now. */
  renewSend(id: number, holder: string, until: number): Promise<void>;
  /** The message went out, or may have: its code stays, and wrong guesses before it are forgotten. */
  confirmSend(id: number, holder: string, send: ConfirmedSend): Promise<void>;
  /** Ends the holder's claim. Nothing else of the session changes: its code stays. */
  releaseSend(id: number, holder: string): Promise<void>;
  /** The message was refused: its code is dead, and all wrong guesses stay counted. */
  abandonSend(id: number, holder: string, code: string): Promise<void>;
  /** Ends sends that were under way when their process died; only where no other can be at it. */
  forgetSends(): Promise<void>;
  countWrongGuess(id: number): Promise<void>;
  markValidated(id: number, now: number): Promise<void>;
  /** Counts a bind by the session; how many that makes. */
  countBind(id: number): Promise<number>;
  /** Deletes sessions last modified before then, some at a time; the number deleted. */
  deleteModifiedBefore(time: number, limit: number): Promise<number>;
}
