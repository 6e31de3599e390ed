import type { CompiledQuery, Dialect, Driver } from 'kysely';
import type { Logger } from 'pino';
import { stopwatch } from '../../platform/clock.ts';
import type { DatabaseMetrics } from '../../platform/database-metrics.ts';
import { outside } from '../../platform/tracing/scope.ts';
import { UnavailableError } from '../../platform/unavailable.ts';
import { withDriver } from '../kysely/with-driver.ts';
import { inStatementSpan } from './statement-spans.ts';

/** Milliseconds between attempts to use a database that is away. */
const INTERVAL = 500;
/** Milliseconds between lines of what is refused though the database can be used, such as for a full disk. */
const SELDOM = 60_000;

export interface OutagesDependencies {
  readonly logger: Logger;
  readonly metrics: DatabaseMetrics;
  /** Why the database cannot be used for now, by the error that came of using it; undefined: something else is wrong. */
  reasonOf(error: unknown): string | undefined;
  /** Whether it came of a connection, and another one may do. */
  isLost?(error: unknown): boolean;
  /** Uses the database for something small; rejects while it is away. */
  probe(): Promise<void>;
}

/**
 * Notices when the database is away, and when it is back: one line in the log when it begins and one when it ends,
 * however many requests have to be refused meanwhile.
 */
export interface Outages {
  /** The error as those who use the database are to get it: an `UnavailableError` when it is away for now. */
  translate(error: unknown): unknown;
  /** The same of who only looks whether it can be used. */
  noted(error: unknown): unknown;
  /** @throws UnavailableError while an outage lasts */
  requireNone(): void;
  stop(): void;
}

export function watchOutages(deps: OutagesDependencies): Outages {
  const { logger, metrics, reasonOf, isLost = () => false, probe } = deps;
  let outage: { readonly elapsed: () => number; readonly reason: string } | undefined;
  let sinceRefusal: (() => number) | undefined;
  let isLooking = false;
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  function noteRefusal(reason: string | undefined): void {
    if (reason === undefined || (sinceRefusal?.() ?? SELDOM) < SELDOM) return;
    sinceRefusal = stopwatch();
    logger.warn({ reason }, 'What needed the database was refused with 503, though it can be used');
  }

  /** Whether it is really away is found out by trying: a connection that was lost alone is no outage. */
  async function look(found?: string): Promise<void> {
    if (isLooking || isStopped) return;
    isLooking = true;
    try {
      await probe();
      if (outage === undefined) return noteRefusal(found);
      const seconds = Math.round(outage.elapsed() / 100) / 10;
      outage = undefined;
      metrics.available(true);
      if (!isStopped) logger.info({ seconds }, 'The database can be used again');
    } catch (error) {
      if (outage === undefined && !isStopped) {
        const reason = reasonOf(error) ?? String(error);
        outage = { elapsed: stopwatch(), reason };
        metrics.available(false);
        logger.error(
          { reason },
          'The database cannot be used: what needs it is refused with 503 until it can',
        );
      }
      if (!isStopped) timer = setTimeout(() => void look(), INTERVAL).unref();
    } finally {
      isLooking = false;
    }
  }

  function noted(error: unknown): unknown {
    const reason = reasonOf(error);
    if (reason === undefined) return error;
    // It goes on for others, too.
    if (outage === undefined) void outside(() => look(reason));
    return new UnavailableError(`The database cannot be used: ${reason}`, {
      cause: error,
      connectionLost: isLost(error),
    });
  }

  return {
    noted,
    translate(error) {
      const told = noted(error);
      if (told instanceof UnavailableError) metrics.failed();
      return told;
    },
    requireNone() {
      if (outage === undefined) return;
      throw new UnavailableError(`The database cannot be used: ${outage.reason}`);
    },
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

/** The dialect, with its errors translated, and each statement a span where a trace goes on. */
export function withOutages(
  engine: 'sqlite' | 'postgres',
  dialect: Dialect,
  { translate }: Pick<Outages, 'translate'>,
): Dialect {
  const translated =
    <Arguments extends unknown[], Result>(work: (...args: Arguments) => Promise<Result>) =>
    async (...args: Arguments): Promise<Result> => {
      try {
        return await work(...args);
      } catch (error) {
        throw translate(error);
      }
    };
  const known = new WeakSet<object>();
  return withDriver(dialect, (driver) => {
    const acquire = driver.acquireConnection.bind(driver);
    const rollback = driver.rollbackTransaction.bind(driver);
    return {
      acquireConnection: translated(async (...options: Parameters<Driver['acquireConnection']>) => {
        const connection = await acquire(...options);
        if (!known.has(connection)) {
          known.add(connection);
          const execute = connection.executeQuery.bind(connection);
          const run = (query: CompiledQuery) =>
            inStatementSpan(engine, query.sql, () => execute(query));
          connection.executeQuery = translated(run) as typeof connection.executeQuery;
        }
        return connection;
      }),
      beginTransaction: translated(driver.beginTransaction.bind(driver)),
      commitTransaction: translated(driver.commitTransaction.bind(driver)),
      // Why it is rolled back is what is to be told, and not that a lost connection cannot do that either.
      rollbackTransaction: (connection) => rollback(connection).catch(() => {}),
    };
  });
}
