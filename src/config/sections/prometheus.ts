import { type Key, port, text } from '../keys.ts';
import type { Listener } from '../listener.ts';
import type { ConfigReader } from '../reader.ts';

const section = 'general';

/** Keys of `[general]`: where metrics are served. */
export const PROMETHEUS = {
  prometheusPort: {
    section,
    name: 'prometheus_port',
    default: undefined,
    parse: (value: string) => (value === '' ? undefined : port(value)),
    about: 'The port of the Prometheus metrics. Needs prometheus_addr as well.',
  },
  prometheusAddress: {
    section,
    name: 'prometheus_addr',
    default: undefined,
    parse: text,
    emptyCounts: true,
    about:
      'The address on which Prometheus metrics are served, for example 127.0.0.1. Empty, but there: every address. Needs prometheus_port as well.',
  },
} satisfies Record<string, Key<unknown>>;

/** Undefined: nowhere. */
export function readPrometheus(reader: ConfigReader): Listener | undefined {
  const metricsPort = reader.read(PROMETHEUS.prometheusPort);
  const hasAddress = reader.has(PROMETHEUS.prometheusAddress);
  if (metricsPort === undefined && !hasAddress) return undefined;
  if (metricsPort === undefined || !hasAddress) {
    reader.warn('[general] prometheus_port and prometheus_addr are both needed; metrics are off');
    return undefined;
  }
  const address = reader.read(PROMETHEUS.prometheusAddress);
  if (address === '') {
    reader.warn('[general] prometheus_addr is empty: metrics are served at every address');
  }
  return { address: address || '::', port: metricsPort };
}
