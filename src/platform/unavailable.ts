import type { Logger } from 'pino';

/** What is needed, such as the database, is away for now: nothing is wrong with what was asked. */
export class UnavailableError extends Error {
  override readonly name: string = 'UnavailableError';
  /** Whether only the way to it was lost: another connection may do. */
  readonly connectionLost: boolean;

  constructor(message: string, options: ErrorOptions & { connectionLost?: boolean } = {}) {
    super(message, options);
    this.connectionLost = options.connectionLost ?? false;
  }
}

/** Logs the failure of what nobody waits for. That something is away was told already, once for all who need it. */
export function logFailure(
  logger: Logger,
  error: unknown,
  what: string,
  fields: object = {},
): void {
  if (error instanceof UnavailableError) return;
  logger.error({ err: error, ...fields }, what);
}
