import type { Logger } from 'pino';
import { IdentityError } from '../model/errors.ts';
import { OutboundError } from '../platform/outbound/outbound-error.ts';
import type { HomeserverTimings } from './timings.ts';

/** Milliseconds after which there may be room for another request. */
const RETRY_AFTER = 5000;

/** A homeserver that answers, but with what makes no sense. */
export const nonsense = (message: string) => new IdentityError('homeserver-failed', message);

/**
 * Whether a homeserver could not be reached, or was silent. That it broke off, or answered with too much or with
 * what is not an answer, may be for what it was asked.
 */
export function gaveNoSign(error: unknown): boolean {
  const { cause } = error instanceof IdentityError ? error : {};
  if (!(cause instanceof OutboundError)) return false;
  const { kind, afterSending } = cause;
  if (kind === 'timeout') return true;
  return (
    !afterSending && ['address-refused', 'name-unresolved', 'unreachable', 'tls'].includes(kind)
  );
}

/**
 * Asks a homeserver that a client has named. When it cannot be asked, the client is told no more than that, and not
 * how soon that was clear: a blocked address, a closed port and a name that is not there look alike. The log tells.
 * @throws IdentityError `homeserver-failed`, `overloaded`; other errors stay as they are
 */
export type AskNamed = <T>(serverName: string, ask: () => Promise<T>) => Promise<T>;

export function createAskNamed(deps: {
  readonly logger: Logger;
  readonly timings: Pick<HomeserverTimings, 'failure'>;
}): AskNamed {
  const { logger, timings } = deps;
  return async (serverName, ask) => {
    const earliest = Promise.withResolvers<void>();
    const timer = setTimeout(earliest.resolve, timings.failure);
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof OutboundError)) throw error;
      if (error.kind === 'overloaded') {
        const message = `There is no room now to ask ${serverName}; try again later`;
        const details = { retry_after_ms: RETRY_AFTER };
        throw new IdentityError('overloaded', message, { details, cause: error });
      }
      const { kind, message: reason } = error;
      logger.info({ homeserver: serverName, kind, reason }, 'A homeserver could not be asked');
      await earliest.promise;
      const message = `The homeserver ${serverName} could not be asked`;
      throw new IdentityError('homeserver-failed', message, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  };
}
