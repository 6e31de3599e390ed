import { inSpan, scopeHere } from '../../platform/tracing/scope.ts';
import type { About } from '../../platform/tracing/span.ts';

/** Names of databases as OpenTelemetry has them. */
const SYSTEMS = { sqlite: 'sqlite', postgres: 'postgresql' } as const;

/** A statement by its kind and the table that it names first: its text could hold values. */
function aboutOf(engine: keyof typeof SYSTEMS, text: string): About {
  const [kind = ''] = /^[a-z]+/.exec(text.trimStart().toLowerCase()) ?? [];
  const [, table] = / (?:from|into|update|join) "([a-z0-9_]+)"/i.exec(` ${text}`) ?? [];
  return {
    name: table === undefined ? kind : `${kind} ${table}`,
    kind: 'client',
    attributes: {
      'db.system.name': SYSTEMS[engine],
      'db.operation.name': kind,
      ...(table && { 'db.collection.name': table }),
    },
  };
}

/** Runs a statement, as a span where a trace goes on. */
export const inStatementSpan = <T>(
  engine: keyof typeof SYSTEMS,
  text: string,
  run: () => Promise<T>,
): Promise<T> =>
  scopeHere()?.span === undefined ? run() : inSpan(() => aboutOf(engine, text), run);
