import { Counter, Gauge, type Registry } from 'prom-client';

/** What is counted of a database that fails. */
export interface DatabaseMetrics {
  /** Whether it can be used; told when that changes. */
  available(isAvailable: boolean): void;
  /** Something that needed it failed for now. */
  failed(): void;
  /** What failed is done once more, on another connection. */
  retried(): void;
}

/** For who counts nothing. */
export const NO_DATABASE_METRICS: DatabaseMetrics = {
  available: () => {},
  failed: () => {},
  retried: () => {},
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
  return {
    available(isAvailable) {
      available.set(isAvailable ? 1 : 0);
      if (!isAvailable) outages.inc();
    },
    failed: () => failures.inc(),
    retried: () => retries.inc(),
  };
}
