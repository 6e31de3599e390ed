/** What can be wrong with a request, in the domain's terms. listeners/http/errors.ts gives each its answer. */
export type IdentityFault =
  | 'address-in-use'
  | 'destination-rejected'
  | 'email-invalid'
  | 'email-not-sent'
  | 'forbidden'
  | 'homeserver-failed'
  | 'homeserver-not-allowed'
  | 'invitation-unknown'
  | 'key-unknown'
  | 'limit-exceeded'
  | 'medium-unrecognised'
  | 'not-permitted'
  | 'overloaded'
  | 'parameter-invalid'
  | 'pepper-invalid'
  | 'phone-number-invalid'
  | 'session-expired'
  | 'session-not-validated'
  | 'session-unknown'
  | 'signature-refused'
  | 'sms-not-sent'
  | 'sms-off'
  | 'terms-not-accepted'
  | 'terms-unknown'
  | 'token-incorrect'
  | 'token-unknown'
  | 'too-many-addresses';

/** Why a message could not be sent, where it may have gone out all the same: nobody knows. */
export class UnknownOutcomeError extends Error {
  override readonly name = 'UnknownOutcomeError';
}

/** A request that the domain refuses. The message and details are for the client; the cause is not. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError';
  readonly fault: IdentityFault;
  /** Further members of the answer, under their names on the wire. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    fault: IdentityFault,
    message: string,
    options: { details?: Record<string, unknown> } & ErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.fault = fault;
    this.details = options.details ?? {};
  }
}

/** Whether what failed may have gone out all the same. */
export const isOutcomeUnknown = (error: unknown) =>
  error instanceof IdentityError && error.cause instanceof UnknownOutcomeError;

/** Why a message is refused, for programs: a member of the answer beside the specification's. */
const REASON = 'org.cognomen.reason';

/** Details of an error that say so. */
export const reason = (why: string): Record<string, unknown> => ({ [REASON]: why });

/** What the details of an error say so; undefined where they do not. */
export function reasonOf(error: unknown): string | undefined {
  const why = error instanceof IdentityError ? error.details[REASON] : undefined;
  return typeof why === 'string' ? why : undefined;
}
