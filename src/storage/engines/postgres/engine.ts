import { readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { ConnectionOptions } from 'node:tls';
import { Kysely, PostgresDialect, type PostgresPool, type RawBuilder, sql } from 'kysely';
import type { Client, PoolConfig } from 'pg';
import type { Logger } from 'pino';
import { stopwatch } from '../../../platform/clock.ts';
import type { PostgresConfig } from '../../database-config.ts';
import type { Schema } from '../../kysely/schema.ts';
import { TransactionScope, withinOneTransaction } from '../../kysely/transaction-scope.ts';
import { CommitUnknownError, DatabaseOpenError, type Engine, type TextList } from '../engine.ts';
import { watchOutages, withOutages } from '../outages.ts';
import { isLost, reasonOf } from './errors.ts';
import { type Connections, createConnections } from './pool.ts';
import { PreparedStatements } from './prepared-statements.ts';

const OLDEST_VERSION = 14;

/** Names our advisory lock among those of others in the same database. */
const ASSOCIATION_LOG_LOCK = 0x636f676e; // "cogn"

/** Types that would come as text though they fit a number. */
const INT8 = 20;

async function tlsOptions(config: PostgresConfig): Promise<ConnectionOptions | false> {
  if (config.sslMode === 'disable') return false;
  const [ca, cert, key] = await Promise.all(
    [config.sslRootCert, config.sslCert, config.sslKey].map((file) =>
      file === undefined ? undefined : readFile(file, 'utf8'),
    ),
  );
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    // As libpq: a root certificate makes `require` check the chain; only verify-full checks the name.
    rejectUnauthorized: config.sslMode.startsWith('verify-') || ca !== undefined,
    ...(config.sslMode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
  };
}

function connectionOptions(config: PostgresConfig, ssl: ConnectionOptions | false): PoolConfig {
  return {
    host: config.host,
    port: config.port,
    user: config.user,
    ...(config.password === undefined ? {} : { password: config.password }),
    database: config.database,
    ssl,
    application_name: 'cognomen',
    connectionTimeoutMillis: config.connectTimeout,
    keepAlive: true,
    ...(config.statementTimeout === 0
      ? {}
      : {
          statement_timeout: config.statementTimeout,
          lock_timeout: config.statementTimeout,
          idle_in_transaction_session_timeout: config.statementTimeout,
          // On this side, for a server that is gone without a word.
          query_timeout: config.statementTimeout + config.connectTimeout,
        }),
  };
}

async function probe(pg: { Client: typeof Client }, options: PoolConfig): Promise<void> {
  const client = new pg.Client(options);
  // A connection lost after it was made is reported here as well as by the query under way.
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query(
      `select current_setting('server_version_num')::int as version,
              current_setting('server_encoding') as encoding`,
    );
    const { version, encoding } = rows[0] as { version: number; encoding: string };
    if (version < OLDEST_VERSION * 10_000) {
      throw new DatabaseOpenError(
        `PostgreSQL ${Math.floor(version / 10_000)} is too old; ${OLDEST_VERSION} or newer is needed`,
      );
    }
    if (encoding !== 'UTF8') {
      throw new DatabaseOpenError(
        `The PostgreSQL database has the encoding ${encoding}; create it with ENCODING 'UTF8'`,
      );
    }
  } finally {
    await client.end().catch(() => {});
  }
}

/** Writes nothing, and is refused where nothing can be written. */
const NO_WRITE = 'update hashing_metadata set lookup_pepper = lookup_pepper where false';

/** Milliseconds between attempts of a start. */
const START_PAUSE = 500;

/**
 * Connects, for so many milliseconds again and again while the database is not there.
 * @param told once, why it is waited for
 */
async function untilThere<T>(
  connect: () => Promise<T>,
  patience: number,
  told: (reason: string) => void,
  signal: AbortSignal | undefined,
): Promise<T> {
  const elapsed = stopwatch();
  let hasTold = false;
  for (;;) {
    try {
      return await connect();
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === undefined || elapsed() >= patience) throw error;
      if (!hasTold) told(reason);
      hasTold = true;
    }
    await wait(START_PAUSE, undefined, { signal });
  }
}

/** Whether a new connection takes writes. @throws Error when it does not */
async function probeWrites(pg: { Client: typeof Client }, options: PoolConfig): Promise<void> {
  const client = new pg.Client({ ...options, query_timeout: options.connectionTimeoutMillis });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query(NO_WRITE);
  } finally {
    client.end().catch(() => {});
  }
}

/** The options that the server accepts: with `prefer`, TLS where it has that. */
async function negotiate(
  pg: { Client: typeof Client },
  config: PostgresConfig,
): Promise<PoolConfig> {
  const options = connectionOptions(config, await tlsOptions(config));
  try {
    await probe(pg, options);
    return options;
  } catch (error) {
    const withoutTls = error instanceof Error && /does not support SSL/.test(error.message);
    if (config.sslMode !== 'prefer' || !withoutTls) throw error;
  }
  const plain = connectionOptions(config, false);
  await probe(pg, plain);
  return plain;
}

const list = (values: readonly string[]) => values as unknown as TextList;
const isIn = (column: string | RawBuilder<string>, values: RawBuilder<TextList>) =>
  sql<boolean>`${typeof column === 'string' ? sql.ref(column) : column} = any(${values}::text[])`;

/**
 * All statements are made for their indexes. Of tables that were just filled the planner knows nothing, and would read
 * them through.
 */
const PLANNING = 'set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off';

const STATUS = 'select pg_xact_status($1::xid8) as status';
/** Times that a commit's outcome is asked for, and milliseconds before the first of them. */
const ASKED = 6;
const FIRST_WAIT = 100;

/** Whether that transaction is committed; while it is under way, or the database is away, it is asked again. */
async function outcomeOf(pool: Connections, id: string): Promise<boolean> {
  let cause: unknown;
  for (let time = 0; time < ASKED; time++) {
    await wait(FIRST_WAIT * 2 ** time);
    try {
      const [row] = (await pool.query(STATUS, [id])) as { status?: string }[];
      if (row?.status === 'committed') return true;
      if (row?.status === 'aborted') return false;
    } catch (error) {
      cause = error;
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
  { logger, signal }: { readonly logger: Logger; readonly signal?: AbortSignal | undefined },
): Promise<Engine> {
  // Loaded only here: it is memory that a server on SQLite does without.
  const { default: pg } = await import('pg');
  const where = `${config.user}@${config.host}:${config.port}/${config.database}`;
  let options: PoolConfig;
  try {
    options = await untilThere(
      () => negotiate(pg, config),
      config.startTimeout,
      (reason) => logger.warn({ database: where, reason }, 'Waiting for PostgreSQL'),
      signal,
    );
  } catch (error) {
    if (error instanceof DatabaseOpenError || signal?.aborted) throw error;
    const reason = reasonOf(error) ?? (error instanceof Error ? error.message : String(error));
    throw new DatabaseOpenError(`No connection to PostgreSQL at ${where}: ${reason}`, {
      cause: error,
    });
  }
  const statements = new PreparedStatements();
  const pool = createConnections({
    pg,
    options: {
      ...options,
      max: config.poolSize,
      types: {
        getTypeParser: (oid: number, format?: string) =>
          oid === INT8 && format !== 'binary'
            ? (text: string) => Number(text)
            : pg.types.getTypeParser(oid, format === 'binary' ? 'binary' : 'text'),
      } as NonNullable<PoolConfig['types']>,
    },
    patience: config.connectTimeout,
    statements,
    setUp: PLANNING,
    logger,
  });
  logger.info({ database: where, tls: options.ssl !== false }, 'Connected to PostgreSQL');
  const outages = watchOutages({
    logger,
    reasonOf: (error) => {
      const reason = reasonOf(error);
      return reason && `PostgreSQL at ${where}: ${reason}`;
    },
    isLost,
    probe: () => probeWrites(pg, options),
  });

  const scope = new TransactionScope();
  const dialect = withOutages(
    new PostgresDialect({ pool: pool as unknown as PostgresPool }),
    outages,
  );
  const db = new Kysely<Schema>({ dialect: withinOneTransaction(dialect, scope) });

  /** Reads only: where a connection is lost, another may do. */
  async function read(text: string, parameters: readonly unknown[]): Promise<unknown[]> {
    scope.requireClosed();
    try {
      try {
        return await pool.query(text, parameters);
      } catch (error) {
        if (!isLost(error)) throw error;
        return await pool.query(text, parameters);
      }
    } catch (error) {
      throw outages.translate(error);
    }
  }

  return {
    name: 'postgres',
    db,
    scope,
    prepare(text) {
      statements.add(text);
      return (parameters) => read(text, parameters);
    },
    list,
    keysByHash: (hashes) =>
      sql`(select * from cognomen_lookup_keys where ${isIn('lookup_hash', hashes)}) as lookup`,
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
    async ping() {
      await read(NO_WRITE, []);
    },
    async close() {
      outages.stop();
      await db.destroy();
    },
  };
}
