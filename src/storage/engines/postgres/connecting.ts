import { readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { type ConnectionOptions, getCACertificates } from 'node:tls';
import type { Client, PoolConfig } from 'pg';
import type { Logger } from 'pino';
import { stopwatch } from '../../../platform/clock.ts';
import { VERSION } from '../../../platform/version.ts';
import type { PostgresConfig } from '../../database-config.ts';
import { DatabaseOpenError } from '../engine.ts';
import { isRefused, reasonOf } from './errors.ts';

const OLDEST_VERSION = 14;

interface Library {
  readonly Client: typeof Client;
}

/** How PostgreSQL is reached. */
export interface Way {
  readonly options: PoolConfig;
  /** Whether a pooler stands between, such as PgBouncer, which gives every transaction another session. */
  readonly isPooled: boolean;
}

async function tlsOptions(config: PostgresConfig): Promise<ConnectionOptions | false> {
  // A socket is of this machine alone, and libpq takes no notice of sslmode there either.
  if (config.sslMode === 'disable' || config.host.startsWith('/')) return false;
  const ofSystem = config.sslRootCert === 'system';
  const [own, cert, key] = await Promise.all(
    [ofSystem ? undefined : config.sslRootCert, config.sslCert, config.sslKey].map((file) =>
      file === undefined ? undefined : readFile(file, 'utf8'),
    ),
  );
  const ca = ofSystem ? getCACertificates('system') : own;
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
    // Those before it call themselves `cognomen` alone: they are known by it.
    application_name: `cognomen ${VERSION}`,
    connectionTimeoutMillis: config.connectTimeout,
    keepAlive: true,
    // On this side, for a server that is gone without a word.
    ...(config.statementTimeout === 0
      ? {}
      : { query_timeout: config.statementTimeout + config.connectTimeout }),
  };
}

/** Whether the server suits, and a pooler stands before it: that answers with a process id of its own making. */
async function probe(pg: Library, options: PoolConfig): Promise<Way> {
  const client = new pg.Client(options);
  // A connection lost after it was made is reported here as well as by the query under way.
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query(
      `select current_setting('server_version_num')::int as version,
              current_setting('server_encoding') as encoding, pg_backend_pid() as pid`,
    );
    const { version, encoding, pid } = rows[0] as {
      version: number;
      encoding: string;
      pid: number;
    };
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
    return { options, isPooled: pid !== (client as { readonly processID?: number }).processID };
  } finally {
    await client.end().catch(() => {});
  }
}

/** Writes nothing, and is refused where nothing can be written. */
export const NO_WRITE = 'update hashing_metadata set lookup_pepper = lookup_pepper where false';

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
      if (reason === undefined || isRefused(error) || elapsed() >= patience) throw error;
      if (!hasTold) told(reason);
      hasTold = true;
    }
    await wait(START_PAUSE, undefined, { signal });
  }
}

/** Whether a new connection takes writes. @throws Error when it does not */
export async function probeWrites(pg: Library, options: PoolConfig): Promise<void> {
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
export async function negotiate(pg: Library, config: PostgresConfig): Promise<Way> {
  const options = connectionOptions(config, await tlsOptions(config));
  try {
    return await probe(pg, options);
  } catch (error) {
    const withoutTls = error instanceof Error && /does not support SSL/.test(error.message);
    if (config.sslMode !== 'prefer' || !withoutTls) throw error;
  }
  return probe(pg, connectionOptions(config, false));
}

/**
 * Finds out how PostgreSQL is reached, and waits for it as long as configured.
 * @throws DatabaseOpenError when it cannot be reached or does not suit; without the password in it.
 */
export async function findWay(
  pg: Library,
  config: PostgresConfig,
  { logger, signal }: { readonly logger: Logger; readonly signal?: AbortSignal | undefined },
): Promise<Way> {
  const where = nameOf(config);
  try {
    return await untilThere(
      () => negotiate(pg, config),
      config.startTimeout,
      (reason) => logger.warn({ database: where, reason }, 'Waiting for PostgreSQL'),
      signal,
    );
  } catch (error) {
    if (error instanceof DatabaseOpenError || signal?.aborted) throw error;
    const told = error instanceof Error ? error.message : String(error);
    const reason = isRefused(error) ? told : (reasonOf(error) ?? told);
    throw new DatabaseOpenError(`No connection to PostgreSQL at ${where}: ${reason}`, {
      cause: error,
    });
  }
}

/** The database as the log names it. */
export const nameOf = ({ user, host, port, database }: PostgresConfig): string =>
  `${user}@${host}:${port}/${database}`;
