/** Why a request to another server came to nothing. */
export type OutboundErrorKind =
  | 'address-refused'
  | 'name-unresolved'
  | 'unreachable'
  | 'tls'
  | 'timeout'
  | 'too-large'
  | 'redirects'
  | 'overloaded'
  | 'protocol';

/** A request to another server that got no answer. The message may be shown: it names hosts, no paths or queries. */
export class OutboundError extends Error {
  override readonly name = 'OutboundError';
  readonly kind: OutboundErrorKind;
  /** Whether it broke, or took too long, once there was a connection: the request may have arrived. */
  readonly afterSending: boolean;

  constructor(
    kind: OutboundErrorKind,
    message: string,
    options: ErrorOptions & { afterSending?: boolean } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.afterSending = options.afterSending ?? false;
  }
}

/** What the system calls an error, such as `ECONNREFUSED`. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'no reason given';
}

/** The promise's outcome, or the signal's reason when it aborts first. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const giveUp = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

/** Runs the work by a signal of its own, which aborts with the other one, and after so many milliseconds. */
export async function withinTime<T>(
  milliseconds: number,
  tooLate: () => OutboundError,
  work: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted();
  const ending = new AbortController();
  const giveUp = () => ending.abort(signal?.reason);
  const timer = setTimeout(() => ending.abort(tooLate()), milliseconds);
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    return await work(ending.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
  }
}
