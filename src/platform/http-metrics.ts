import { Counter, type Metric, type Registry } from 'prom-client';

/** One request that was answered. */
export interface HttpRequestMeasure {
  readonly listener: string;
  /** The pattern of the route, not the path: paths are without number. */
  readonly route: string;
  /** Sydent's name of the endpoint; undefined where it has none. */
  readonly servlet: string | undefined;
  readonly method: string;
  readonly status: number;
  readonly seconds: number;
}

/** Requests that are alike in everything but how long they took. */
interface Alike {
  readonly like: HttpRequestMeasure;
  count: number;
  seconds: number;
  /** How many took at most as long as each of the bounds, and longer than the one before. */
  readonly buckets: Float64Array;
}

const KNOWN_METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']);
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const DURATIONS = 'cognomen_http_request_duration_seconds';

type Labels = Readonly<Record<string, string | number>>;
type Values = { labels: Labels; value: number; metricName: string }[];

/** The lines of a histogram: of each bucket all that took at most so long, then the sum and the number. */
function histogramLines(labels: Labels, all: readonly Alike[]): Values {
  const sum = (of: (alike: Alike) => number) => all.reduce((total, alike) => total + of(alike), 0);
  const count = sum((alike) => alike.count);
  let below = 0;
  const buckets = BOUNDS.map((bound, index) => {
    below += sum((alike) => alike.buckets[index] ?? 0);
    return { labels: { le: bound, ...labels }, value: below, metricName: `${DURATIONS}_bucket` };
  });
  return [
    ...buckets,
    { labels: { le: '+Inf', ...labels }, value: count, metricName: `${DURATIONS}_bucket` },
    { labels, value: sum((alike) => alike.seconds), metricName: `${DURATIONS}_sum` },
    { labels, value: count, metricName: `${DURATIONS}_count` },
  ];
}

/**
 * Counts requests. Counters of the library hash their labels for each request and for each of the three metrics:
 * here one table is kept, and made into metrics when they are read.
 */
export function createHttpMetrics(registry: Registry): (measure: HttpRequestMeasure) => void {
  const table = new Map<string, Alike>();
  const registers = [registry];

  function countsOf(counter: Counter, labelsOf: (like: HttpRequestMeasure) => Labels | undefined) {
    counter.reset();
    for (const { like, count } of table.values()) {
      const labels = labelsOf(like);
      if (labels !== undefined) counter.inc(labels, count);
    }
  }

  new Counter({
    name: 'sydent_http_received_requests_total',
    help: 'Requests received, by Sydent’s name of the endpoint',
    labelNames: ['servlet', 'method'],
    registers,
    collect() {
      countsOf(this, ({ servlet, method }) =>
        servlet === undefined ? servlet : { servlet, method },
      );
    },
  });
  new Counter({
    name: 'cognomen_http_requests_total',
    help: 'Requests answered',
    labelNames: ['listener', 'route', 'method', 'status'],
    registers,
    collect() {
      countsOf(this, ({ listener, route, method, status }) => ({
        listener,
        route,
        method,
        status,
      }));
    },
  });
  const described = {
    name: DURATIONS,
    help: 'Time from the arrival of a request to its answer',
    type: 'histogram',
    aggregator: 'sum',
  };
  const durations = {
    ...described,
    async get() {
      const byLabels = Map.groupBy(table.values(), ({ like }) =>
        JSON.stringify([like.listener, like.route, like.method]),
      );
      const values = [...byLabels.values()].flatMap((all) => {
        const { listener = '', route = '', method = '' } = all[0]?.like ?? {};
        return histogramLines({ listener, route, method }, all);
      });
      return { ...described, values };
    },
    reset: () => table.clear(),
  };
  registry.registerMetric(durations as unknown as Metric);

  return (measure) => {
    // Anyone can make up methods; labels are kept for ever.
    const method = KNOWN_METHODS.has(measure.method) ? measure.method : 'other';
    const { listener, route, status, seconds } = measure;
    const key = `${status} ${method} ${listener} ${route}`;
    let alike = table.get(key);
    if (alike === undefined) {
      const buckets = new Float64Array(BOUNDS.length + 1);
      alike = { like: { ...measure, method }, count: 0, seconds: 0, buckets };
      table.set(key, alike);
    }
    alike.count++;
    alike.seconds += seconds;
    const bucket = BOUNDS.findIndex((bound) => seconds <= bound);
    const index = bucket < 0 ? BOUNDS.length : bucket;
    alike.buckets[index] = (alike.buckets[index] ?? 0) + 1;
  };
}
