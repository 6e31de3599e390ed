import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What is counted of a database that fails. */
export interface DatabaseMetrics {
  /** Whether it can be used; told when that changes. */
  available(isAvailable: boolean): void;
  /** Whether that replica is read. */
  replica(name: string, isUsed: boolean): void;
  /** Something that needed it failed for now. */
  failed(): void;
  /** What failed is done once more, on another connection. */
  retried(): void;
  /** A write has waited so many seconds for its turn. */
  waited(seconds: number): void;
  /** Whom to ask how many writes wait for their turn, each time the metrics are read. */
  waiting(measure: () => number): void;
  /** The same of connections. */
  connections(measure: () => ConnectionCounts): void;
}

/** Connections to a database server. */
export interface ConnectionCounts {
  readonly used: number;
  readonly idle: number;
  /** Those who wait for one. */
  readonly waiting: number;
}

/** For who counts nothing. */
export const NO_DATABASE_METRICS: DatabaseMetrics = {
  available: () => {},
  replica: () => {},
  failed: () => {},
  retried: () => {},
  waited: () => {},
  waiting: () => {},
  connections: () => {},
};

export function createDatabaseMetrics(registers: Registry[]): DatabaseMetrics {
  const available = new Gauge({
    name: 'cognomen_database_available',
    help: '1 while the database can be used, 0 while what needs it is refused with 503',
    // Of several processes: whether all can use it.
    aggregator: 'min',
    registers,
  });
  available.set(1);
  const outages = new Counter({
    name: 'cognomen_database_outages_total',
    help: 'Times that the database could not be used',
    registers,
  });
  const replicas = new Gauge({
    name: 'cognomen_database_replica_used',
    help: '1 while lookups are read from that standby of db.read_url, 0 while it is left out',
    labelNames: ['replica'],
    registers,
  });
  const failures = new Counter({
    name: 'cognomen_database_failures_total',
    help: 'Uses of the database that failed because it was away, busy or took no writes',
    registers,
  });
  const retries = new Counter({
    name: 'cognomen_database_retries_total',
    help: 'Of those, what was done once more at once, on another connection',
    registers,
  });
  const waits = new Histogram({
    name: 'cognomen_database_write_wait_seconds',
    help: 'Time that writes waited for their turn: on SQLite all of them, on PostgreSQL those that write the log',
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    registers,
  });
  const measured: (() => number)[] = [];
  new Gauge({
    name: 'cognomen_database_writes_waiting',
    help: 'Writes that wait for their turn now',
    registers,
    collect() {
      this.set(measured.reduce((sum, measure) => sum + measure(), 0));
    },
  });
  let counts: (() => ConnectionCounts) | undefined;
  new Gauge({
    name: 'cognomen_database_connections',
    help: 'PostgreSQL: connections by state, used or idle, and waiting: those who wait for one',
    labelNames: ['state'],
    registers,
    collect() {
      for (const [state, count] of Object.entries(counts?.() ?? {})) this.set({ state }, count);
    },
  });
  return {
    available(isAvailable) {
      available.set(isAvailable ? 1 : 0);
      if (!isAvailable) outages.inc();
    },
    replica: (replica, isUsed) => replicas.set({ replica }, isUsed ? 1 : 0),
    failed: () => failures.inc(),
    retried: () => retries.inc(),
    waited: (seconds) => waits.observe(seconds),
    waiting: (measure) => void measured.push(measure),
    connections(measure) {
      counts = measure;
    },
  };
}
