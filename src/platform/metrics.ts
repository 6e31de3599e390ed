import {
  Counter,
  collectDefaultMetrics,
  Gauge,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from 'prom-client';
import { createDatabaseMetrics, type DatabaseMetrics } from './database-metrics.ts';
import { createHttpMetrics, type HttpRequestMeasure } from './http-metrics.ts';
import { createOnbindMetrics, type OnbindMetrics } from './onbind-metrics.ts';
import { createPepperMetrics, type PepperMeasure } from './pepper-metrics.ts';
import { createReplicationMetrics, type ReplicationMetrics } from './replication-metrics.ts';
import { VERSION } from './version.ts';

/** How full one room of outbound requests is. */
export interface OutboundRoom {
  readonly room: string;
  readonly inside: number;
  readonly waiting: number;
}

/** What metrics a process has, and their values, to be added to those of others. */
export type MetricsSnapshot = MetricObjectWithValues<MetricValue<string>>[];

export interface Metrics {
  readonly registry: Registry;
  httpRequest(measure: HttpRequestMeasure): void;
  readonly database: DatabaseMetrics;
  readonly onbind: OnbindMetrics;
  /** An address was bound or unbound by this server. */
  associationChanged(medium: string, change: 'bound' | 'unbound'): void;
  /** A mail handed to the relay, or tried to. */
  emailSent(): void;
  /** A message that was to be handed over, whatever came of it. */
  message(medium: string, kind: string, outcome: string): void;
  /** Whom to ask how many mails were reported on, by outcome, each time the metrics are read. */
  mailReports(counts: () => Promise<Readonly<Record<string, number>>>): void;
  /** Whom to ask how many notices to owners of addresses wait, each time the metrics are read. */
  ownerNotices(waiting: () => Promise<number>): void;
  /** Events of the trail of messages that were not written. */
  trailLeftOut(count: number): void;
  /** Spans of traces: sent to the collector, or why not. */
  spans(outcome: string, count: number): void;
  /** A text message handed to the provider, or tried to. */
  smsSent(provider: string, outcome: 'sent' | 'refused' | 'unreachable'): void;
  /** A request to another server: `answered`, or why not. */
  outboundRequest(outcome: string): void;
  /** A request that met a limit when it was reached: refused, or let through because limits only report. */
  limitExceeded(limit: string, enforced: boolean): void;
  /** A request that needs what can be switched off: `v1`, or `query_token`. */
  oldWay(way: string): void;
  /** Whom to ask how full the rooms of outbound requests are, each time the metrics are read. */
  outboundRooms(measure: () => readonly OutboundRoom[]): void;
  /** Where a homeserver is to be found: already known, or asked for. */
  homeserverDiscovery(from: 'cache' | 'network'): void;
  readonly replication: ReplicationMetrics;
  pepperRotation(measure: PepperMeasure): void;
}

/** Others can be unbound that were bound long ago; what they are called is up to who asks. */
const KNOWN_MEDIA = new Set(['email', 'msisdn']);

/** The server's metrics, in a registry of their own. docs/metrics.md is generated from it. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'cognomen_build_info',
    help: 'Always 1; the version is in the label',
    labelNames: ['version'],
    aggregator: 'first',
    registers,
  }).set({ version: VERSION }, 1);
  const httpRequest = createHttpMetrics(registry);
  const associations = new Counter({
    name: 'cognomen_associations_total',
    help: 'Addresses that were bound or unbound at this server, by medium: email, msisdn (phone numbers) or other',
    labelNames: ['medium', 'change'],
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
  const messages = new Counter({
    name: 'cognomen_messages_total',
    help: 'Mails (medium email) and text messages (msisdn) by kind (verification, invitation, owner-notice, test) and outcome: sent, refused, unreachable, overloaded (too many wait), unknown (nobody knows whether it was taken), withheld (the owner of the address refuses invitations), or given-up (it has waited for too long)',
    labelNames: ['medium', 'kind', 'outcome'],
    registers,
  });
  let reports: () => Promise<Readonly<Record<string, number>>> = async () => ({});
  new Counter({
    name: 'cognomen_mail_reports_total',
    help: 'Mails of which a mail server reported that they bounced, are delayed or were delivered, as far as such reports are handed to cognomen mail bounced; of all processes on the database',
    labelNames: ['outcome'],
    registers,
    async collect() {
      // A database that does not answer must not take the other metrics with it.
      const counts = await reports().catch(() => undefined);
      if (counts === undefined) return;
      this.reset();
      for (const [outcome, count] of Object.entries(counts)) this.inc({ outcome }, count);
    },
  });
  let ownerNotices: (() => Promise<number>) | undefined;
  new Gauge({
    name: 'cognomen_owner_notices_waiting',
    help: 'Notices to owners of addresses that are not mailed yet, of all processes on the database; counted up to 100000',
    registers,
    async collect() {
      const waiting = await ownerNotices?.().catch(() => undefined);
      if (waiting !== undefined) this.set(waiting);
    },
  });
  const leftOut = new Counter({
    name: 'cognomen_message_events_left_out_total',
    help: 'Events of the trail of messages that were not written: there were too many at once, or the database was away for long',
    registers,
  });
  const spans = new Counter({
    name: 'cognomen_trace_spans_total',
    help: 'Spans of traces by what became of them: sent, refused or unreachable (the collector), left_out (too many waited)',
    labelNames: ['outcome'],
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
  const oldWays = new Counter({
    name: 'cognomen_old_ways_total',
    help: 'Requests that need what can be switched off: v1 (version 1 of the API, without the links of mails), query_token (an access token in the query string)',
    labelNames: ['way'],
    registers,
  });
  let rooms: () => readonly OutboundRoom[] = () => [];
  new Gauge({
    name: 'cognomen_outbound_places_in_use',
    help: 'Outbound requests under way, by room: configured (the provider of text messages), issuer (of operators’ tokens), logins, keys (of homeservers that sign requests), notices, peers (of replication)',
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
    database: createDatabaseMetrics(registers),
    onbind: createOnbindMetrics(registers),
    httpRequest,
    associationChanged: (medium, change) =>
      associations.inc({ medium: KNOWN_MEDIA.has(medium) ? medium : 'other', change }),
    emailSent: () => emails.inc(),
    message: (medium, kind, outcome) => messages.inc({ medium, kind, outcome }),
    mailReports(counts) {
      reports = counts;
    },
    ownerNotices(waiting) {
      ownerNotices = waiting;
    },
    trailLeftOut: (count) => leftOut.inc(count),
    spans: (outcome, count) => spans.inc({ outcome }, count),
    smsSent: (provider, outcome) => sms.inc({ provider, outcome }),
    outboundRequest: (outcome) => outbound.inc({ outcome }),
    oldWay: (way) => oldWays.inc({ way }),
    limitExceeded: (limit, enforced) => limits.inc({ limit, enforced: String(enforced) }),
    outboundRooms(measure) {
      rooms = measure;
    },
    homeserverDiscovery: (from) => discoveries.inc({ from }),
    replication: createReplicationMetrics(registers),
    pepperRotation: createPepperMetrics(registers),
  };
}
