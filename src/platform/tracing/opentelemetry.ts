import {
  type Context,
  type Span as Made,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type ReadableSpan,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { hostNames } from '../hostname.ts';
import { requestId } from '../random.ts';
import { VERSION } from '../version.ts';
import { createExporter } from './exporter.ts';
import { during } from './scope.ts';
import type { SamplerName, TracingSettings } from './settings.ts';
import { type About, type Attributes, kindOf, type Span } from './span.ts';
import type { Tracing, TracingDependencies } from './tracing.ts';

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  internal: SpanKind.INTERNAL,
} as const;

const optionsOf = ({ kind = 'internal', attributes = {} }: About) => ({
  kind: KINDS[kind],
  attributes,
});

const SAMPLER: Readonly<Record<SamplerName, (ratio: number) => Sampler>> = {
  always_on: () => new AlwaysOnSampler(),
  always_off: () => new AlwaysOffSampler(),
  traceidratio: (ratio) => new TraceIdRatioBasedSampler(ratio),
  parentbased_always_on: () => new ParentBasedSampler({ root: new AlwaysOnSampler() }),
  parentbased_always_off: () => new ParentBasedSampler({ root: new AlwaysOffSampler() }),
  parentbased_traceidratio: (ratio) =>
    new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
};

/** By the SDK, but without its contexts: which span goes on where is known from the scope. */
class SdkSpan implements Span {
  readonly #tracer: Tracer;
  readonly #made: Made;
  #context: Context | undefined;

  constructor(tracer: Tracer, made: Made) {
    this.#tracer = tracer;
    this.#made = made;
  }

  tell(attributes: Attributes): void {
    this.#made.setAttributes(attributes);
  }

  child(about: About): Span {
    // Of what is not sampled no part is.
    if (!this.#made.isRecording()) return this;
    this.#context ??= trace.setSpan(ROOT_CONTEXT, this.#made);
    const made = this.#tracer.startSpan(about.name, optionsOf(about), this.#context);
    return new SdkSpan(this.#tracer, made);
  }

  end(failure?: unknown): void {
    if (!this.#made.isRecording()) return;
    if (failure !== undefined) {
      this.#made.setAttribute('error.type', kindOf(failure));
      this.#made.setStatus({ code: SpanStatusCode.ERROR });
    }
    this.#made.end();
  }
}

/** Makes traces by OpenTelemetry's SDK. */
export function createTracing(settings: TracingSettings, deps: TracingDependencies): Tracing {
  const { logger, random } = deps;
  const exporter = createExporter<ReadableSpan>(
    settings,
    (spans) => JsonTraceSerializer.serializeRequest(spans) ?? new Uint8Array(),
    deps,
  );
  let next: string | undefined;
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': 'cognomen',
      'service.version': VERSION,
      'service.instance.id': random.bytes(16).toString('hex'),
      'host.name': hostNames().hostname,
      'process.pid': process.pid,
      ...settings.resource,
      ...(settings.serviceName === undefined ? {} : { 'service.name': settings.serviceName }),
    }),
    sampler: SAMPLER[settings.sampler](settings.ratio),
    idGenerator: {
      generateTraceId: () => next ?? requestId(),
      generateSpanId: () => requestId().slice(0, 16),
    },
    spanLimits: { attributeValueLengthLimit: 256 },
    spanProcessors: [
      {
        onStart() {},
        onEnd: (span) => {
          if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) !== 0) exporter.add(span);
        },
        forceFlush: async () => {},
        shutdown: () => exporter.stop(),
      },
    ],
  });
  const tracer = provider.getTracer('cognomen', VERSION);
  const { hostname, port } = new URL(settings.url);
  logger.info({ host: hostname, port, sampler: settings.sampler }, 'Traces go to a collector');

  const begin: Tracing['begin'] = (id, about, link) => {
    next = id;
    const links = link === undefined ? [] : [{ context: { ...link, traceFlags: TraceFlags.NONE } }];
    return new SdkSpan(
      tracer,
      tracer.startSpan(about.name, { ...optionsOf(about), links, root: true }, ROOT_CONTEXT),
    );
  };
  return {
    begin,
    root(about, work) {
      const id = requestId();
      return during(id, begin(id, about), work);
    },
    stop: () => provider.shutdown(),
  };
}
