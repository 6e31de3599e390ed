import type { Medium } from '../identity/addresses.ts';

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
  /** A `send_attempt` under way, which nobody repeats before `until`. */
  readonly sending: { readonly attempt: number; readonly until: number } | undefined;
  /** Wrong codes tried since the last send. */
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

/** What a send under way puts out of force, to be put back should it fail. */
export interface BeforeSend {
  readonly codes: readonly SessionCode[];
  readonly wrongGuesses: number;
}

export interface PreparedSend {
  readonly attempt: number;
  readonly code: string;
  readonly now: number;
  readonly until: number;
  readonly typed: string;
  readonly nextLink: string | undefined;
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
  /** Notes a send under way, its code valid from now on, and forgets wrong guesses. */
  prepareSend(id: number, send: PreparedSend): Promise<void>;
  confirmSend(id: number, attempt: number, code: string): Promise<void>;
  /** Puts back what stood before the send, unless a later one has begun meanwhile. */
  abandonSend(id: number, attempt: number, code: string, before: BeforeSend): Promise<void>;
  /** Ends sends that were under way when their process died; only where no other can be at it. */
  forgetSends(): Promise<void>;
  /** Deletes a session that nothing was ever sent for, and nothing is being sent. */
  deleteUnused(id: number): Promise<void>;
  countWrongGuess(id: number): Promise<void>;
  markValidated(id: number, now: number): Promise<void>;
  /** Deletes sessions last modified before then, some at a time; the number deleted. */
  deleteModifiedBefore(time: number, limit: number): Promise<number>;
}
