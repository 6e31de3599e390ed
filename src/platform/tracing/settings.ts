/** How spans are chosen, as OpenTelemetry names it. */
export const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;
export type SamplerName = (typeof SAMPLERS)[number];

/** What OpenTelemetry's variables say of traces. */
export interface TracingSettings {
  /** Where spans are posted to. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds for one export. */
  readonly timeout: number;
  readonly serviceName: string | undefined;
  readonly resource: Readonly<Record<string, string>>;
  readonly sampler: SamplerName;
  /** Of traces, from 0 to 1. */
  readonly ratio: number;
  readonly queue: {
    /** Milliseconds between two exports. */
    readonly delay: number;
    /** Spans that wait, and that go out together, at most. */
    readonly most: number;
    readonly batch: number;
  };
}

/** Beyond these a setting would cost more than traces are worth. */
const LARGEST = { queue: 65_536, batch: 512, milliseconds: 600_000 };

type Warn = (warning: string) => void;

/** A list as in `a=1,b=%20`: undefined where it is none. */
function pairsOf(text: string): Record<string, string> | undefined {
  const pairs: [string, string][] = [];
  for (const pair of text.split(',')) {
    if (pair.trim() === '') continue;
    const equals = pair.indexOf('=');
    if (equals < 1) return undefined;
    try {
      pairs.push([pair.slice(0, equals).trim(), decodeURIComponent(pair.slice(equals + 1).trim())]);
    } catch {
      return undefined;
    }
  }
  return Object.fromEntries(pairs);
}

/** Those of an HTTP request: undefined where there are others among them. */
function headersOf(text: string): Record<string, string> | undefined {
  const pairs = Object.entries(pairsOf(text) ?? { '': '' });
  const isRight = ([name, value]: [string, string]) =>
    /^[\w!#$%&'*+.^`|~-]+$/.test(name) && /^[\x20-\x7e]*$/.test(value);
  return pairs.every(isRight)
    ? Object.fromEntries(pairs.map(([name, value]) => [name.toLowerCase(), value]))
    : undefined;
}

function urlOf(given: string, path: string): string | undefined {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return undefined;
  if (url.username !== '' || url.password !== '') return undefined;
  if (path !== '') url.pathname = `${url.pathname.replace(/\/$/, '')}${path}`;
  return url.href;
}

/** Reads the variables; what is wrong with one is a warning, and never the value, which may be secret. */
export function readSettings(env: NodeJS.ProcessEnv): {
  /** Undefined: no traces. */
  readonly settings: TracingSettings | undefined;
  readonly warnings: readonly string[];
} {
  const warnings: string[] = [];
  const warn: Warn = (warning) => void warnings.push(warning);
  // An empty one counts as not there.
  const given = (name: string) => env[name]?.trim() || undefined;
  /** The name of the variable for traces, or else for everything, that is there. */
  const nameOf = (name: string) =>
    [`OTEL_EXPORTER_OTLP_TRACES_${name}`, `OTEL_EXPORTER_OTLP_${name}`].find(given);
  const off = () => ({ settings: undefined, warnings });

  const endpoint = nameOf('ENDPOINT');
  if (endpoint === undefined || /^true$/i.test(given('OTEL_SDK_DISABLED') ?? '')) return off();
  const exporters = (given('OTEL_TRACES_EXPORTER') ?? 'otlp').split(',').map((one) => one.trim());
  if (!exporters.includes('otlp')) {
    if (exporters.some((one) => one !== 'none')) {
      warn(
        'OTEL_TRACES_EXPORTER names no exporter of this server (otlp, none): no traces are made',
      );
    }
    return off();
  }
  const url = urlOf(given(endpoint) ?? '', endpoint.includes('TRACES') ? '' : '/v1/traces');
  if (url === undefined) {
    warn(`${endpoint} is not an http or https URL without a user in it: no traces are made`);
    return off();
  }
  const protocol = nameOf('PROTOCOL');
  if (protocol !== undefined && given(protocol) !== 'http/json') {
    warn(`${protocol} is set, and this server sends http/json: see that ${endpoint} takes that`);
  }

  /** A whole number from 1 on. */
  function number(name: string, otherwise: number, largest: number): number {
    const text = given(name);
    if (text === undefined) return otherwise;
    if (/^\d{1,9}$/.test(text) && Number(text) > 0) return Math.min(Number(text), largest);
    warn(`${name} is not a whole number above 0: it is ${otherwise}`);
    return otherwise;
  }
  function pairs(name: string, read: typeof pairsOf): Record<string, string> {
    const text = given(name);
    const found = text === undefined ? {} : read(text);
    if (found === undefined) warn(`${name} is not a list such as a=1,b=2: it counts as not there`);
    return found ?? {};
  }
  function sampler(): Pick<TracingSettings, 'sampler' | 'ratio'> {
    const usual = 'parentbased_always_on';
    const name = given('OTEL_TRACES_SAMPLER') ?? usual;
    const known = SAMPLERS.find((one) => one === name);
    if (known === undefined) {
      warn(`OTEL_TRACES_SAMPLER is none of ${SAMPLERS.join(', ')}: it is ${usual}`);
      return { sampler: usual, ratio: 1 };
    }
    const ratio = Number(given('OTEL_TRACES_SAMPLER_ARG') ?? 1);
    if (ratio >= 0 && ratio <= 1) return { sampler: known, ratio };
    if (known.endsWith('ratio')) warn('OTEL_TRACES_SAMPLER_ARG is not between 0 and 1: it is 1');
    return { sampler: known, ratio: 1 };
  }

  const most = number('OTEL_BSP_MAX_QUEUE_SIZE', 2048, LARGEST.queue);
  const settings: TracingSettings = {
    url,
    headers: {
      ...pairs('OTEL_EXPORTER_OTLP_HEADERS', headersOf),
      ...pairs('OTEL_EXPORTER_OTLP_TRACES_HEADERS', headersOf),
    },
    timeout: number(nameOf('TIMEOUT') ?? '', 10_000, LARGEST.milliseconds),
    serviceName: given('OTEL_SERVICE_NAME'),
    resource: pairs('OTEL_RESOURCE_ATTRIBUTES', pairsOf),
    ...sampler(),
    queue: {
      delay: number('OTEL_BSP_SCHEDULE_DELAY', 5000, LARGEST.milliseconds),
      most,
      batch: Math.min(number('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 512, LARGEST.batch), most),
    },
  };
  return { settings, warnings };
}
