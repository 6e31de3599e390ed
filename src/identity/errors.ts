/** What can be wrong with a request, in the domain's terms. listeners/frame/errors.ts gives each its answer. */
export type IdentityFault =
  | 'email-invalid'
  | 'email-not-sent'
  | 'parameter-invalid'
  | 'session-expired'
  | 'session-not-validated'
  | 'session-unknown'
  | 'too-many-addresses'
  | 'token-incorrect';

/** A request that the domain refuses. The message is for the client; the cause is not. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError';
  readonly fault: IdentityFault;

  constructor(fault: IdentityFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}
