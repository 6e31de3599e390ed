import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { Metrics } from '../metrics.ts';
import type { OutboundClient } from '../outbound/outbound.ts';
import type { Random } from '../random.ts';
import { readSettings } from './settings.ts';
import type { About, Span } from './span.ts';

/** Where a request came from says that it is part of this. */
export interface Caused {
  readonly traceId: string;
  readonly spanId: string;
}

/** Makes traces. */
export interface Tracing {
  /**
   * Begins a trace.
   * @param id 32 hexadecimal digits, which become the trace's id
   * @param link what has caused it, as others say
   */
  begin(id: string, about: About, link?: Caused): Span;
  /** Runs work that no request has caused as a trace of its own. */
  root<T>(about: About, work: (span: Span) => Promise<T>): Promise<T>;
  /** Sends what is left, as far as there is time. */
  stop(): Promise<void>;
}

export interface TracingDependencies {
  /** Those of OpenTelemetry say whether and where traces go. */
  readonly env: NodeJS.ProcessEnv;
  readonly outbound: Pick<OutboundClient, 'request'>;
  readonly metrics: Pick<Metrics, 'spans'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Undefined where no traces are wanted; what is needed for them is loaded only where they are. */
export async function openTracing(deps: TracingDependencies): Promise<Tracing | undefined> {
  const { settings, warnings } = readSettings(deps.env);
  for (const warning of warnings) deps.logger.warn(warning);
  if (settings === undefined) return undefined;
  const { createTracing } = await import('./opentelemetry.ts');
  return createTracing(settings, deps);
}
