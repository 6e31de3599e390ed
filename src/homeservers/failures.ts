import { IdentityError } from '../identity/errors.ts';
import { OutboundError } from '../platform/outbound/outbound-error.ts';

/** Milliseconds after which there may be room for another request. */
const RETRY_AFTER = 5000;

/** A homeserver that answers, but with what makes no sense. */
export const nonsense = (message: string) => new IdentityError('homeserver-failed', message);

/** Makes of a request that came to nothing what a client is told; other errors stay as they are. */
export function toIdentityError(error: unknown): unknown {
  if (!(error instanceof OutboundError)) return error;
  if (error.kind === 'overloaded') {
    return new IdentityError('overloaded', `${error.message}; try again later`, {
      details: { retry_after_ms: RETRY_AFTER },
      cause: error,
    });
  }
  const message = `The homeserver could not be asked: ${error.message}`;
  return new IdentityError('homeserver-failed', message, { cause: error });
}
