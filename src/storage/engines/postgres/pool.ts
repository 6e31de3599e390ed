import { setTimeout as wait } from 'node:timers/promises';
import type { Client, Pool, PoolClient, PoolConfig } from 'pg';
import type { Logger } from 'pino';
import { stopwatch } from '../../../platform/clock.ts';
import type { ConnectionCounts } from '../../../platform/database-metrics.ts';
import { isBroken, isSilent, tooManyConnections } from './errors.ts';

/** Milliseconds between attempts, where the database takes no further connection. */
const PAUSE = 50;

/** Connections to PostgreSQL. */
export interface Connections {
  /** One of its own; waits for one that is given back where the database takes no further one. */
  connect(): Promise<PoolClient>;
  /** Runs one statement on any of them. */
  query(text: string, parameters: readonly unknown[]): Promise<unknown[]>;
  end(): Promise<void>;
  readonly options: PoolConfig;
  /** How many there are now. */
  counts(): ConnectionCounts;
}

export interface ConnectionsDependencies {
  readonly pg: { readonly Client: typeof Client; readonly Pool: typeof Pool };
  readonly options: PoolConfig;
  /** Milliseconds to wait for a connection. */
  readonly patience: number;
  /** What connections are to be beside. */
  readonly clientOf: (Base: typeof Client) => typeof Client;
  /** Run on each new connection. */
  readonly setUp: string | undefined;
  readonly logger: Logger;
}

/** Tells of every error that a statement ends with. */
function telling(
  Base: typeof Client,
  told: (error: unknown, client: Client) => void,
): typeof Client {
  return class TellingClient extends Base {
    override query(...query: unknown[]): never {
      const last = query.at(-1);
      if (typeof last === 'function') {
        query[query.length - 1] = (error: unknown, ...results: unknown[]) => {
          if (error) told(error, this);
          last(error, ...results);
        };
      }
      const running: unknown = (super.query as (...query: unknown[]) => unknown)(...query);
      if (running instanceof Promise) running.catch((error) => told(error, this));
      return running as never;
    }
  } as unknown as typeof Client;
}

export function createConnections(deps: ConnectionsDependencies): Connections {
  const { pg, options, patience, clientOf, setUp, logger } = deps;
  // Where one connection leads to a server that is silent, or takes no writes, those made before may as well.
  let generation = 0;
  const generations = new WeakMap<Client, number>();
  const Told = telling(pg.Client, (error, client) => {
    if (isBroken(error)) generation++;
    // Else a rollback over it would wait as long again.
    if (isSilent(error)) client.end().catch(() => {});
  });
  const pool = new pg.Pool({ ...options, Client: clientOf(Told) });
  const lost = (error: Error) =>
    logger.debug({ reason: error.message }, 'A PostgreSQL connection was lost');
  pool.on('error', lost);
  pool.on('connect', (client) => {
    generations.set(client, generation);
    // The pool listens for those that nobody uses; without this, one lost while in use ended the process.
    client.on('error', () => {});
    if (setUp !== undefined) client.query(setUp).catch(lost);
  });

  async function connect(): Promise<PoolClient> {
    const elapsed = stopwatch();
    for (;;) {
      try {
        const client = await pool.connect();
        if (generations.get(client) === generation) return client;
        client.release(true);
      } catch (error) {
        if (!tooManyConnections(error) || elapsed() > patience) throw error;
        await wait(PAUSE);
      }
    }
  }

  return {
    connect,
    async query(text, parameters) {
      const client = await connect();
      try {
        return (await client.query(text, [...parameters])).rows;
      } finally {
        client.release();
      }
    },
    end: () => pool.end(),
    options: pool.options,
    counts: () => ({
      used: pool.totalCount - pool.idleCount,
      idle: pool.idleCount,
      waiting: pool.waitingCount,
    }),
  };
}
