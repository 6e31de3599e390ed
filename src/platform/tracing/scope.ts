import { AsyncLocalStorage } from 'node:async_hooks';
import type { About, Span } from './span.ts';

/** The request, or work of the server's own, that the code which runs is part of. */
export interface Scope {
  /** 32 hexadecimal digits: in its lines of the log, in the trail of its messages, and its trace's id. */
  readonly id: string;
  /** What of it goes on; undefined where nothing is traced. */
  readonly span: Span | undefined;
}

const scopes = new AsyncLocalStorage<Scope | undefined>();

export const scopeHere = (): Scope | undefined => scopes.getStore();

/** Runs the work as part of that. */
export const runIn = <A extends unknown[], T>(
  scope: Scope | undefined,
  work: (...given: A) => T,
  ...given: A
): T => scopes.run(scope, work, ...given);

/** Runs what is no part of what has caused it, such as a timer or a loop that others use as well. */
export const outside = <T>(work: () => T): T => scopes.run(undefined, work);

/**
 * Runs the work as a span of the trace that goes on here, where one does.
 * @param about what is told of it, asked for only then
 */
export function inSpan<T>(
  about: () => About,
  work: (span: Span | undefined) => Promise<T>,
): Promise<T> {
  const scope = scopes.getStore();
  if (scope?.span === undefined) return work(undefined);
  return during(scope.id, scope.span.child(about()), work);
}

/** Runs the work as that span, which ends with it. */
export function during<T>(id: string, span: Span, work: (span: Span) => Promise<T>): Promise<T> {
  return scopes.run({ id, span }, async () => {
    try {
      const result = await work(span);
      span.end();
      return result;
    } catch (error) {
      span.end(error);
      throw error;
    }
  });
}

const NOTHING = {};

/** For the logger: names in each line the request that it is of. */
export const NAMING_REQUESTS = {
  mixin: (): { reqId?: string } => {
    const scope = scopes.getStore();
    return scope === undefined ? NOTHING : { reqId: scope.id };
  },
  // A line that names it already is left as it is: most are lines of requests.
  mixinMergeStrategy: (line: object, named: object) =>
    named === NOTHING || 'reqId' in line ? line : { ...named, ...line },
};
