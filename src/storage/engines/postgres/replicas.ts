import type { Logger } from 'pino';
import { stopwatch } from '../../../platform/clock.ts';
import type { DatabaseMetrics } from '../../../platform/database-metrics.ts';
import type { PostgresConfig } from '../../database-config.ts';
import { reasonOf } from './errors.ts';
import type { Connections } from './pool.ts';

/** Replicas of the database, for reads that may be a moment late. */
export interface Replicas {
  /** One that is not too late, and has all that was required; undefined where there is none. */
  pick(): Pick<Connections, 'query'> | undefined;
  /** Whoever asks from now on is to find all that the primary has by now. */
  requireCurrent(): void;
  stop(): Promise<void>;
}

export interface ReplicasDependencies {
  /** How each is named in the log, and how to connect to it. @throws Error where it is not there */
  readonly replicas: readonly { readonly name: string; connect(): Promise<Connections> }[];
  readonly primary: Pick<Connections, 'query'>;
  /** Milliseconds. */
  readonly maxLag: number;
  readonly logger: Logger;
  readonly metrics: DatabaseMetrics;
}

/** Milliseconds between looks at how far they are; sooner after what they must have. */
const INTERVAL = 200;
const SOON = 50;
/** Milliseconds that one which was left out has to be in time before it is used again. */
const PROBATION = 2000;
/** So many looks at the primary are remembered, by which a replica's position is dated: of 30 s at least. */
const REMEMBERED = 600;

/** Of a physical standby they are the same. */
const IDENTITY = `select (select system_identifier::text from pg_control_system()) || ' ' || oid as identity
  from pg_database where datname = current_database()`;
/**
 * Also what was committed without waiting for the disk, and is not written yet. Behind the end of a page the place for the
 * next record comes after that page's header (24 bytes, or 40 in a file's first one), and a replica stays before it.
 */
const WRITTEN = `select (place - case when place % page in (24, 40) then place % page else 0 end)::float8 as position
  from (select pg_current_wal_insert_lsn() - '0/0' as place, current_setting('wal_block_size')::int as page) as log`;
const REPLAYED = `select (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() end - '0/0')::float8 as position`;

/** Where the primary was, at that time, when so often its state had been required. */
interface Sample {
  readonly at: number;
  readonly required: number;
  readonly position: number;
}

interface Replica {
  readonly name: string;
  readonly connect: () => Promise<Connections>;
  connections: Connections | undefined;
  /** The newest sample that it has all of. */
  has: Omit<Sample, 'position'>;
  isUsed: boolean;
  inTimeSince: number | undefined;
  isLookedAt: boolean;
  /** Why it could not be asked, the last time. */
  failure: string | undefined;
  /** Whether the log has it that it is not used. */
  isTold: boolean;
}

const PATIENCE = 1000;

/** How a replica is asked: whoever waits for one that is silent can ask the primary. */
export const impatient = (config: PostgresConfig): PostgresConfig => ({
  ...config,
  connectTimeout: Math.min(config.connectTimeout, PATIENCE),
  statementTimeout: PATIENCE,
});

async function oneValue(from: Pick<Connections, 'query'>, query: string): Promise<unknown> {
  const [row] = (await from.query(query, [])) as Record<string, unknown>[];
  return Object.values(row ?? {})[0];
}

const NONE: Replicas = {
  pick: () => undefined,
  requireCurrent: () => {},
  stop: async () => {},
};

export function watchReplicas(deps: ReplicasDependencies): Replicas {
  if (deps.replicas.length === 0) return NONE;
  const { primary, maxLag, logger, metrics } = deps;
  const time = stopwatch();
  const replicas = deps.replicas.map(
    (each): Replica => ({
      ...each,
      connections: undefined,
      has: { at: Number.NEGATIVE_INFINITY, required: 0 },
      isUsed: false,
      inTimeSince: undefined,
      isLookedAt: false,
      failure: undefined,
      isTold: false,
    }),
  );
  let samples: Sample[] = [];
  let required = 0;
  let turn = 0;
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;
  let nextAt = Number.POSITIVE_INFINITY;

  const isInTime = ({ has }: Replica) => time() - has.at <= maxLag;

  /** @throws Error where it is not a replica of the primary */
  async function connectTo(replica: Replica): Promise<Connections> {
    const connections = await replica.connect();
    const identities = await Promise.all(
      [primary, connections].map((each) => oneValue(each, IDENTITY).catch(() => undefined)),
    );
    if (identities[0] === identities[1] && !isStopped) return connections;
    await connections.end();
    throw new Error('it is no replica of the database that db.url names');
  }

  async function lookAt(replica: Replica): Promise<void> {
    if (replica.isLookedAt) return;
    replica.isLookedAt = true;
    try {
      replica.connections ??= await connectTo(replica);
      const position = await oneValue(replica.connections, REPLAYED);
      if (typeof position !== 'number') throw new Error('it is no standby any more');
      const has = samples.findLast((sample) => sample.position <= position);
      if (has !== undefined) replica.has = has;
      replica.failure = undefined;
    } catch (error) {
      replica.failure = reasonOf(error) ?? (error instanceof Error ? error.message : String(error));
    } finally {
      replica.isLookedAt = false;
    }
    judge(replica);
  }

  function use(replica: Replica, isUsed: boolean): void {
    replica.isUsed = isUsed;
    metrics.replica(replica.name, isUsed);
  }

  /** Leaves it out, or takes it in again. */
  function judge(replica: Replica): void {
    if (isStopped) return;
    const { name, isUsed, inTimeSince, failure } = replica;
    if (!isInTime(replica)) {
      replica.inTimeSince = undefined;
      const reason = failure ?? (isUsed ? 'it is later than db.read_max_lag' : undefined);
      if (isUsed) use(replica, false);
      else if (reason === undefined || replica.isTold) return;
      replica.isTold = true;
      logger.warn({ replica: name, reason }, 'A replica is left out; the primary is read instead');
      return;
    }
    replica.inTimeSince ??= time();
    if (isUsed || (inTimeSince ?? time()) + PROBATION > time()) return;
    use(replica, true);
    replica.isTold = false;
    logger.info({ replica: name }, 'Lookups are read from a replica');
  }

  async function look(): Promise<void> {
    const seen = { at: time(), required };
    try {
      const position = Number(await oneValue(primary, WRITTEN));
      samples = [...samples.slice(1 - REMEMBERED), { ...seen, position }];
    } catch {
      // Told of by who watches outages; without the primary nobody knows how late a replica is.
    }
    for (const replica of replicas) {
      judge(replica);
      void lookAt(replica);
    }
    lookIn(INTERVAL);
  }

  function lookIn(milliseconds: number): void {
    if (isStopped || nextAt <= time() + milliseconds) return;
    clearTimeout(timer);
    nextAt = time() + milliseconds;
    timer = setTimeout(() => {
      nextAt = Number.POSITIVE_INFINITY;
      void look();
    }, milliseconds);
    timer.unref();
  }

  for (const { name } of replicas) metrics.replica(name, false);
  lookIn(0);

  return {
    pick() {
      for (let tried = 0; tried < replicas.length; tried++) {
        turn = (turn + 1) % replicas.length;
        const replica = replicas[turn];
        if (replica?.isUsed && isInTime(replica) && replica.has.required === required) {
          return replica.connections && used(replica, replica.connections);
        }
      }
      return undefined;
    },
    requireCurrent() {
      required++;
      lookIn(SOON);
    },
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await Promise.all(replicas.map(({ connections }) => connections?.end()));
    },
  };

  /** What a read does not get from it, is not asked of it again before it is looked at. */
  function used(replica: Replica, connections: Connections): Pick<Connections, 'query'> {
    return {
      async query(text, parameters) {
        try {
          return await connections.query(text, parameters);
        } catch (error) {
          if (reasonOf(error) !== undefined)
            replica.has = { at: Number.NEGATIVE_INFINITY, required: 0 };
          throw error;
        }
      },
    };
  }
}
