import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { createOnbindMetrics, type OnbindMetrics } from './onbind-metrics.ts';
import { createReplicationMetrics, type ReplicationMetrics } from './replication-metrics.ts';
import { VERSION } from './version.ts';

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

/** How full one room of outbound requests is. */
export interface OutboundRoom {
  readonly room: string;
  readonly inside: number;
  readonly waiting: number;
}

export interface Metrics {
  readonly registry: Registry;
  httpRequest(measure: HttpRequestMeasure): void;
  readonly onbind: OnbindMetrics;
  /** A mail handed to the relay, or tried to. */
  emailSent(): void;
  /** A text message handed to the provider, or tried to. */
  smsSent(provider: string, outcome: 'sent' | 'refused' | 'unreachable'): void;
  /** A request to another server: `answered`, or why not. */
  outboundRequest(outcome: string): void;
  /** A request that met a limit when it was reached: refused, or let through because limits only report. */
  limitExceeded(limit: string, enforced: boolean): void;
  /** Whom to ask how full the rooms of outbound requests are, each time the metrics are read. */
  outboundRooms(measure: () => readonly OutboundRoom[]): void;
  /** Where a homeserver is to be found: already known, or asked for. */
  homeserverDiscovery(from: 'cache' | 'network'): void;
  readonly replication: ReplicationMetrics;
}

const KNOWN_METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']);

/** The server's metrics, in a registry of their own. docs/metrics.md is generated from it. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'cognomen_build_info',
    help: 'Always 1; the version is in the label',
    labelNames: ['version'],
    registers,
  }).set({ version: VERSION }, 1);
  const servletRequests = new Counter({
    name: 'sydent_http_received_requests_total',
    help: 'Requests received, by Sydent’s name of the endpoint',
    labelNames: ['servlet', 'method'],
    registers,
  });
  const emails = new Counter({
    name: 'sydent_emails_sent_total',
    help: 'Mails handed to the relay, refused ones included',
    registers,
  });
  const sms = new Counter({
    name: 'cognomen_sms_total',
    help: 'Text messages by provider and outcome: sent, refused or unreachable',
    labelNames: ['provider', 'outcome'],
    registers,
  });
  const requests = new Counter({
    name: 'cognomen_http_requests_total',
    help: 'Requests answered',
    labelNames: ['listener', 'route', 'method', 'status'],
    registers,
  });
  const durations = new Histogram({
    name: 'cognomen_http_request_duration_seconds',
    help: 'Time from the arrival of a request to its answer',
    labelNames: ['listener', 'route', 'method'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const outbound = new Counter({
    name: 'cognomen_outbound_requests_total',
    help: 'Requests to homeservers and other servers over HTTP: answered, or the kind of failure',
    labelNames: ['outcome'],
    registers,
  });
  const limits = new Counter({
    name: 'cognomen_limit_exceeded_total',
    help: 'Requests that met a limit when it was reached, by limit and by whether it is enforced: else they passed',
    labelNames: ['limit', 'enforced'],
    registers,
  });
  let rooms: () => readonly OutboundRoom[] = () => [];
  new Gauge({
    name: 'cognomen_outbound_places_in_use',
    help: 'Outbound requests under way, by room: configured (the provider of text messages), logins, keys (of homeservers that sign requests), notices, peers (of replication)',
    labelNames: ['room'],
    registers,
    collect() {
      for (const { room, inside } of rooms()) this.set({ room }, inside);
    },
  });
  new Gauge({
    name: 'cognomen_outbound_waiting',
    help: 'Outbound requests that wait because their host has all the places that one host gets, by room',
    labelNames: ['room'],
    registers,
    collect() {
      for (const { room, waiting } of rooms()) this.set({ room }, waiting);
    },
  });
  const discoveries = new Counter({
    name: 'cognomen_homeserver_discoveries_total',
    help: 'Well-known files of homeservers that were needed, by where they came from: cache or network',
    labelNames: ['from'],
    registers,
  });
  return {
    registry,
    onbind: createOnbindMetrics(registers),
    httpRequest({ listener, route, servlet, method: given, status, seconds }) {
      // Anyone can make up methods; labels are kept for ever.
      const method = KNOWN_METHODS.has(given) ? given : 'other';
      if (servlet !== undefined) servletRequests.inc({ servlet, method });
      requests.inc({ listener, route, method, status });
      durations.observe({ listener, route, method }, seconds);
    },
    emailSent: () => emails.inc(),
    smsSent: (provider, outcome) => sms.inc({ provider, outcome }),
    outboundRequest: (outcome) => outbound.inc({ outcome }),
    limitExceeded: (limit, enforced) => limits.inc({ limit, enforced: String(enforced) }),
    outboundRooms(measure) {
      rooms = measure;
    },
    homeserverDiscovery: (from) => discoveries.inc({ from }),
    replication: createReplicationMetrics(registers),
  };
}
