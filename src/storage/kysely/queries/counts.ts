import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../engines/engine.ts';
import type { Counts, Stock } from '../../stores/index.ts';
import type { Schema } from '../schema.ts';
import { isOrigin } from './keyed-associations.ts';
import { eachPiece } from './pieces.ts';

interface Counted {
  readonly what: string;
  readonly number: number | string;
  readonly oldest?: number | null;
  readonly some?: number | string | null;
}

interface Sum {
  number: number;
  some: number;
  oldest: number | undefined;
}

/** The smaller one of those that are there. */
const earlier = (a: number | undefined, b: number | null | undefined) =>
  a === undefined || (typeof b === 'number' && b < a) ? (b ?? undefined) : a;

/**
 * Counts a table by pieces.
 * @param columns `what`: counted apart; `some`: how many of a kind; `oldest`
 */
async function count(
  db: Db,
  table: keyof Schema,
  { key, after, columns }: { key: string; after: string | number; columns: RawBuilder<unknown> },
): Promise<ReadonlyMap<string, Sum>> {
  const sums = new Map<string, Sum>();
  await eachPiece(db, { table, key, after }, async ({ low, high }) => {
    const { rows } = await sql<Counted>`select count(*) as number, ${columns}
      from ${sql.table(table)} where ${sql.ref(key)} > ${low} and ${sql.ref(key)} <= ${high}
      group by what`.execute(db);
    for (const { what, number, some, oldest } of rows) {
      const sum = sums.get(what) ?? { number: 0, some: 0, oldest: undefined };
      sums.set(what, {
        number: sum.number + Number(number),
        some: sum.some + Number(some ?? 0),
        oldest: earlier(sum.oldest, oldest),
      });
    }
    return true;
  });
  return sums;
}

const all = sql`'all' as what`;
const ifSet = (condition: RawBuilder<boolean>) =>
  sql`sum(case when ${condition} then 1 else 0 end)`;
const NONE: Sum = { number: 0, some: 0, oldest: undefined };

async function one(...asked: Parameters<typeof count>): Promise<Sum> {
  return (await count(...asked)).get('all') ?? NONE;
}

/** How many bindings, invitations and notices there are: goes through their tables. */
export async function countStock(db: Db, serverName: string): Promise<Stock> {
  const byMedium = await count(db, 'global_threepid_associations', {
    key: 'id',
    after: 0,
    columns: sql`medium as what, ${ifSet(isOrigin('originServer', serverName))} as some`,
  });
  const invitations = await count(db, 'invite_tokens', {
    key: 'id',
    after: 0,
    columns: sql`case when sent_ts is null then 'pending' else 'sent' end as what,
      min(received_ts) as oldest`,
  });
  const pending = invitations.get('pending') ?? NONE;
  const notices = await one(db, 'cognomen_notices', {
    key: 'id',
    after: 0,
    columns: sql`${all}, min(created_ts) as oldest, ${ifSet(sql`refused_ts is not null`)} as some`,
  });
  const servers = await db
    .selectFrom('cognomen_notices')
    .select((notice) => notice.fn.count<number>('server_name').distinct().as('count'))
    .executeTakeFirstOrThrow();
  return {
    associations: [...byMedium]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([medium, { number, some }]) => ({ medium, own: some, ofPeers: number - some })),
    invitations: {
      pending: pending.number,
      oldest: pending.oldest === undefined ? undefined : pending.oldest * 1000,
    },
    owed: {
      notices: notices.number,
      refused: notices.some,
      homeservers: Number(servers.count),
      oldest: notices.oldest,
    },
  };
}

/** How much there is of everything: goes through whole tables. */
export async function countAll(db: Db, serverName: string): Promise<Counts> {
  const stock = await countStock(db, serverName);
  const sessions = await one(db, 'threepid_validation_sessions', {
    key: 'id',
    after: 0,
    columns: sql`${all}, ${ifSet(sql`validated = 1`)} as some`,
  });
  const ofTexts = { after: '', columns: all };
  const accounts = await one(db, 'accounts', { ...ofTexts, key: 'user_id' });
  const tokens = await one(db, 'tokens', { ...ofTexts, key: 'token' });
  return {
    ...stock,
    sessions: { all: sessions.number, validated: sessions.some },
    accounts: accounts.number,
    tokens: tokens.number,
  };
}
