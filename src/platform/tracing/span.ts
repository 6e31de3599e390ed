/**
 * What is told of a span, by OpenTelemetry's names. It leaves this server: no address of a person, no user id, token, code
 * or secret, no value of a statement, no path or query string as it came.
 */
export type Attributes = Readonly<Record<string, string | number>>;

export interface About {
  readonly name: string;
  /** On which side of a request it is: that of who answers, or of who asks another program. */
  readonly kind?: 'server' | 'client' | 'internal';
  readonly attributes?: Attributes;
}

/** Something that takes time, as a part of a trace. */
export interface Span {
  /** Tells more of it. */
  tell(attributes: Attributes): void;
  /** A part of it, which begins now. */
  child(about: About): Span;
  /** @param failure what it failed with, or its kind: only that is told */
  end(failure?: unknown): void;
}

/** The kind of an error: never its message, which may say what it was about. */
export function kindOf(failure: unknown): string {
  if (typeof failure === 'string') return failure;
  if (!(failure instanceof Error)) return '_OTHER';
  const { kind, fault, code } = failure as { kind?: unknown; fault?: unknown; code?: unknown };
  const named = [kind, fault, code].find(
    (value) => typeof value === 'string' && /^[\w-]{1,60}$/.test(value),
  );
  return (named as string | undefined) ?? failure.name;
}
