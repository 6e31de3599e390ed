import { createHmac } from 'node:crypto';
import { type Kysely, type RawBuilder, sql } from 'kysely';
import {
  type BucketAnswer,
  type BucketAsk,
  NO_WAIT,
  PORTION_OF_ROOM,
} from '../../platform/bucket-store.ts';
import type { Random } from '../../platform/random.ts';
import { yieldToEventLoop } from '../../platform/yield-to-event-loop.ts';
import type { Db, Engine, TextList } from '../engines/engine.ts';
import type { SharedBuckets } from '../stores/index.ts';
import { prepare } from './prepared.ts';

/** The state under which the secret is kept that keys are hashed with. */
const SECRET = 'bucket_secret';
const SECRET_BYTES = 32;
/** 128 bits: no two have the same. */
const KEY_LENGTH = 22;
const DELETED_AT_ONCE = 5000;

const DAY = 24 * 60 * 60 * 1000;
/** The database's time: a node's own may be wrong. */
const NOW = sql`(extract(epoch from statement_timestamp()) * 1000)::float8`;

const numbersOf = ({ measures, back, put, least, need, portion }: BucketAsk): number[] => {
  const { capacity, ceiling, interval, daily } = measures;
  return [capacity, ceiling, interval, daily ? 1 : 0, back, put, least, need, portion];
};
/** The names of these, and of the time since when a bucket is empty, which the database adds. */
const NAMES = [
  ...['capacity', 'ceiling', 'unit_ms', 'daily', 'back', 'put', 'at_least', 'need', 'portion'],
  'since',
];
const GIVEN = sql.lit(NAMES.length - 1);
const number = (asked: RawBuilder<unknown>, name: string) =>
  sql`(${asked})[${sql.lit(NAMES.indexOf(name) + 1)}]`;

/**
 * What becomes of a bucket that would be empty by `emptyAt`, as a table of one row: when it will be empty, and what of it
 * is granted. It is what `platform/bucket-store.ts` does in memory.
 */
function outcome(emptyAt: RawBuilder<unknown>, asked: RawBuilder<unknown>) {
  const named = NAMES.map((name) => sql`${number(asked, name)} as ${sql.ref(name)}`);
  const room = sql`(capacity - filled)`;
  return sql`(select since + (filled + granted) * unit_ms as empty_at, granted from
    (select *, case when need <= 0 or (at_least - ${room}) * unit_ms >= ${sql.lit(NO_WAIT)} then 0 else greatest(at_least,
        least(${room}, greatest(need, least(portion, ${room} * ${sql.lit(PORTION_OF_ROOM)})))) end as granted from
    (select *, greatest(returned, least(returned + put, capacity)) as filled from
    (select *, greatest(level - back, 0) as returned from
    (select *, case when daily = 1 and beyond > ceiling + 1 then 0 else least(beyond, ceiling) end as level from
    (select *, greatest(${emptyAt} - since, 0) / unit_ms as beyond from
    (select ${sql.join(named)}) a) b) c) d) e) f)`;
}

interface Row extends BucketAnswer {
  readonly key: string;
}

/** One upsert for all that are asked. */
const statement = (engine: Engine) =>
  prepare<{ keys: TextList; numbers: TextList }, Row>(engine, (db, slot) => {
    const numbers = sql`(${slot('numbers')}::float8[])[(n - 1) * ${GIVEN} + 1 : n * ${GIVEN}]`;
    const asked = sql.ref('fresh.asked');
    const theirs = sql.ref('excluded.asked');
    const since = number(sql.ref('held.asked'), 'since');
    return {
      compile: () =>
        sql<Row>`insert into cognomen_buckets as held (key, empty_at, granted, asked)
          select key, after.empty_at, after.granted, asked from
            (select key, given || case when given[4] = 1
                then (floor(${NOW} / ${sql.lit(DAY)}) + 1) * ${sql.lit(DAY)} else ${NOW} end as asked
              from (select key, ${numbers} as given, n
                from unnest(${slot('keys')}::text[]) with ordinality as keys (key, n)) as given order by n) as fresh,
            lateral ${outcome(sql`0::float8`, asked)} as after
          on conflict (key) do update set (empty_at, granted, asked) =
            (select after.empty_at, after.granted, ${theirs} from ${outcome(sql`held.empty_at`, theirs)} as after)
          returning key, granted, (empty_at - ${since}) / ${number(sql.ref('held.asked'), 'unit_ms')} as level,
            ${since} - ${NOW} as "resetsIn"`.compile(db),
    };
  });

/** Opens them, where nodes share the database; undefined on SQLite. */
export async function openSharedBuckets(
  engine: Engine,
  random: Random,
): Promise<SharedBuckets | undefined> {
  if (engine.name === 'sqlite') return undefined;
  const secret = await secretOf(engine.db, random);
  const upsert = statement(engine);
  const db = engine.db as unknown as Kysely<{
    cognomen_buckets: { key: string; empty_at: number };
  }>;
  const hashed = ({ bucket, key }: BucketAsk) =>
    createHmac('sha256', secret)
      .update(`${bucket}\n${key}`)
      .digest('base64url')
      .slice(0, KEY_LENGTH);

  return {
    async ask(asks) {
      const byKey = new Map(asks.map((ask) => [hashed(ask), ask]));
      // In one order, so that no two nodes wait for each other.
      const keys = [...byKey.keys()].sort();
      const numbers = keys.flatMap((key) => numbersOf(byKey.get(key) as BucketAsk));
      const values = { keys: engine.list(keys), numbers: engine.list(numbers.map(String)) };
      let rows: Row[];
      try {
        rows = await engine.scope.outside(() => upsert(engine.db, values));
      } catch (error) {
        if (engine.isReadOnly(error)) return undefined;
        throw error;
      }
      const answers = new Map(rows.map(({ key, ...answer }) => [byKey.get(key), answer]));
      return asks.map((ask) => answers.get(ask) as BucketAnswer);
    },

    async deleteEmpty() {
      let deleted = 0;
      for (let last: string | undefined = ''; last !== undefined; ) {
        const { rows }: { rows: { last: string | null; gone: number }[] } = await sql<{
          last: string | null;
          gone: number;
        }>`with batch as (select key, empty_at from cognomen_buckets where key > ${last} order by key
              limit ${DELETED_AT_ONCE}),
            gone as (delete from cognomen_buckets where empty_at < ${NOW} and key in
              (select key from cognomen_buckets where empty_at < ${NOW} and key in (select key from batch)
                order by key for update skip locked) returning 1)
          select (select max(key) from batch) as last, (select count(*) from gone)::int as gone`.execute(
          db,
        );
        deleted += rows[0]?.gone ?? 0;
        last = rows[0]?.last ?? undefined;
        await yieldToEventLoop();
      }
      return deleted;
    },
  };
}

/** Of the whole of this database; made by the first node that asks. */
async function secretOf(db: Db, random: Random): Promise<string> {
  const value = random.bytes(SECRET_BYTES).toString('base64');
  await db
    .insertInto('cognomen_state')
    .values({ key: SECRET, value })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const found = await db
    .selectFrom('cognomen_state')
    .select('value')
    .where('key', '=', SECRET)
    .executeTakeFirstOrThrow();
  return found.value;
}
