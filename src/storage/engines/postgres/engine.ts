import { setTimeout as wait } from 'node:timers/promises';
import { Kysely, PostgresDialect, type PostgresPool, type RawBuilder, sql } from 'kysely';
import type { PoolConfig } from 'pg';
import type { Logger } from 'pino';
import { type DatabaseMetrics, NO_DATABASE_METRICS } from '../../../platform/database-metrics.ts';
import type { PostgresConfig } from '../../database-config.ts';
import type { Schema } from '../../kysely/schema.ts';
import { TransactionScope, withinOneTransaction } from '../../kysely/transaction-scope.ts';
import { CommitUnknownError, type Engine, type TextList } from '../engine.ts';
import { watchOutages, withOutages } from '../outages.ts';
import { inStatementSpan } from '../statement-spans.ts';
import { findWay, NO_WRITE, nameOf, negotiate, probeWrites, type Way } from './connecting.ts';
import { hasNoConnection, isLost, isReadOnly, reasonOf } from './errors.ts';
import { type Connections, createConnections } from './pool.ts';
import { PreparedStatements } from './prepared-statements.ts';
import { impatient, watchReplicas } from './replicas.ts';
import { SettingDialect, setAll, settingsOf } from './settings.ts';

/** Names our advisory lock among those of others in the same database. */
const ASSOCIATION_LOG_LOCK = 0x636f676e; // "cogn"

/** Types that would come as text though they fit a number. */
const INT8 = 20;

const list = (values: readonly string[]) => values as unknown as TextList;
const isIn = (column: string | RawBuilder<string>, values: RawBuilder<TextList>) =>
  sql<boolean>`${typeof column === 'string' ? sql.ref(column) : column} = any(${values}::text[])`;

const STATUS = 'select pg_xact_status($1::xid8) as status';
/** Times that a commit's outcome is asked for: for six seconds. */
const ASKED = 14;
/** Milliseconds before the first of them, and at most: others who bind wait for it. */
const FIRST_WAIT = 100;
const LONGEST_WAIT = 500;

/** Whether that transaction is committed; while it is under way, or the database refuses, it is asked again. */
async function outcomeOf(pool: Connections, id: string): Promise<boolean> {
  let cause: unknown;
  for (let time = 0; time < ASKED; time++) {
    await wait(Math.min(FIRST_WAIT * 2 ** time, LONGEST_WAIT));
    try {
      const [row] = (await pool.query(STATUS, [id])) as { status?: string }[];
      if (row?.status === 'committed') return true;
      if (row?.status === 'aborted') return false;
    } catch (error) {
      cause = error;
      if (hasNoConnection(error)) break;
    }
  }
  throw new CommitUnknownError('Whether a transaction was committed could not be found out', {
    cause,
  });
}

/**
 * Connects to PostgreSQL.
 * @throws DatabaseOpenError when it cannot be reached or does not suit; without the password in it.
 */
export async function openPostgresEngine(
  config: PostgresConfig,
  deps: {
    readonly logger: Logger;
    readonly metrics?: DatabaseMetrics | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Engine> {
  const { logger, metrics = NO_DATABASE_METRICS } = deps;
  // Loaded only here: it is memory that a server on SQLite does without.
  const { default: pg } = await import('pg');
  const where = nameOf(config);
  const way = await findWay(pg, config, deps);
  const { options, isPooled } = way;
  const settings = settingsOf(config);
  const { preparedStatements } = config;
  const isNamed = (pooled: boolean) =>
    preparedStatements === 'on' || (preparedStatements === 'auto' && !pooled);
  const statements = new PreparedStatements();
  const types = {
    getTypeParser: (oid: number, format?: string) =>
      oid === INT8 && format !== 'binary'
        ? (text: string) => Number(text)
        : pg.types.getTypeParser(oid, format === 'binary' ? 'binary' : 'text'),
  } as NonNullable<PoolConfig['types']>;
  const poolOf = ({ options, isPooled }: Way, { poolSize, connectTimeout }: PostgresConfig) =>
    createConnections({
      pg,
      options: { ...options, max: poolSize, types },
      patience: connectTimeout,
      clientOf: isNamed(isPooled) ? (Base) => statements.clientOf(Base) : (Base) => Base,
      setUp: isPooled ? undefined : setAll(settings, 'session'),
      logger,
    });
  const pool = poolOf(way, config);
  const replicas = watchReplicas({
    replicas: config.replicas.map((replica) => ({
      name: `${replica.host}:${replica.port}`,
      connect: async () => poolOf(await negotiate(pg, impatient(replica)), impatient(replica)),
    })),
    primary: pool,
    maxLag: config.readMaxLag,
    logger,
    metrics,
  });
  metrics.connections(pool.counts);
  logger.info(
    {
      database: where,
      tls: options.ssl !== false,
      pooler: isPooled,
      preparedStatements: isNamed(isPooled),
    },
    'Connected to PostgreSQL',
  );
  const outages = watchOutages({
    logger,
    metrics,
    reasonOf: (error) => {
      const reason = reasonOf(error);
      return reason && `PostgreSQL at ${where}: ${reason}`;
    },
    isLost,
    probe: () => probeWrites(pg, options),
  });

  const scope = new TransactionScope();
  const postgres = { pool: pool as unknown as PostgresPool };
  const dialect = isPooled ? new SettingDialect(postgres, settings) : new PostgresDialect(postgres);
  const db = new Kysely<Schema>({
    dialect: withinOneTransaction(withOutages('postgres', dialect, outages), scope),
  });

  /** Reads only: where a connection is lost, another may do. */
  async function read(text: string, parameters: readonly unknown[]): Promise<unknown[]> {
    scope.requireClosed();
    try {
      try {
        return await pool.query(text, parameters);
      } catch (error) {
        if (!isLost(error)) throw error;
        metrics.retried();
        return await pool.query(text, parameters);
      }
    } catch (error) {
      throw outages.translate(error);
    }
  }

  return {
    name: 'postgres',
    metrics,
    db,
    scope,
    prepare(text) {
      statements.add(text);
      return (parameters) => inStatementSpan('postgres', text, () => read(text, parameters));
    },
    prepareLate(text) {
      statements.add(text);
      const readLate = async (parameters: readonly unknown[]) => {
        scope.requireClosed();
        const replica = replicas.pick();
        if (replica === undefined) return read(text, parameters);
        try {
          return await replica.query(text, parameters);
        } catch {
          // Away, or a conflict with what it replays: the primary has it in any case.
          metrics.retried();
          return read(text, parameters);
        }
      };
      return (parameters) => inStatementSpan('postgres', text, () => readLate(parameters));
    },
    requireCurrent: replicas.requireCurrent,
    list,
    keysByHash: ({ table, pepper }, hashes) =>
      sql`(select * from ${sql.table(table)} where ${isIn('lookup_hash', hashes)}
        ${pepper ? sql`and pepper = ${pepper}` : sql``}) as lookup`,
    answers: sql`global_threepid_associations as global`,
    members: (json) => sql`json_array_elements(${json}::json)`,
    isIn,
    isAnyOf: (column, values) => isIn(column, sql`${list(values)}`),
    async lockAssociationLog(transaction) {
      const { rows } = await sql<{
        id: string;
      }>`select pg_advisory_xact_lock(${ASSOCIATION_LOG_LOCK}::bigint), pg_current_xact_id()::text as id`.execute(
        transaction,
      );
      return rows[0]?.id;
    },
    wasCommitted: (id) => outcomeOf(pool, id),
    hasOneWriter: false,
    locksRows: true,
    isRemote: true,
    isReadOnly,
    fileFaults: () => [],
    remnants: undefined,
    async ping() {
      await read(NO_WRITE, []);
    },
    async close() {
      outages.stop();
      await replicas.stop();
      await db.destroy();
    },
  };
}
