import { type Selectable, sql } from 'kysely';
import type { Medium } from '../../model/addresses.ts';
import type { Db } from '../engines/engine.ts';
import type { MessageEvent, MessageEventStore, NewMessageEvent } from '../stores/index.ts';
import type { Schema } from './schema.ts';

const TABLE = 'cognomen_message_events';
/** Events of one address. */
const MOST = 50;

const eventOf = (row: Selectable<Schema[typeof TABLE]>): MessageEvent => ({
  medium: row.medium as Medium,
  address: row.address,
  event: row.event,
  first: row.first_ts,
  last: row.last_ts,
  times: row.times,
  mxid: row.mxid ?? undefined,
  details: JSON.parse(row.details),
});

export function messageEventStore(db: Db): MessageEventStore {
  /** Without those that only follow others, and of whose address there are none. */
  async function withoutStrays(events: readonly NewMessageEvent[]): Promise<NewMessageEvent[]> {
    const following = events.filter(({ follows }) => follows).map(({ address }) => address);
    if (following.length === 0) return [...events];
    const found = await db
      .selectFrom(TABLE)
      .select('address')
      .distinct()
      .where('address', 'in', [...new Set(following)])
      .execute();
    const known = new Set(found.map(({ address }) => address));
    for (const { address, follows } of events) if (!follows) known.add(address);
    return events.filter(({ follows, address }) => !follows || known.has(address));
  }

  /** Deletes what is more than an address may have, the oldest first. */
  async function prune(addresses: readonly string[]): Promise<void> {
    const ranked = db
      .selectFrom(TABLE)
      .select('id')
      .select(sql<number>`row_number() over (partition by address order by id desc)`.as('rank'))
      .where('address', 'in', addresses);
    const tooMany = db.selectFrom(ranked.as('ranked')).select('id').where('rank', '>', MOST);
    await db.deleteFrom(TABLE).where('id', 'in', tooMany).execute();
  }

  return {
    async add(events) {
      const kept = await withoutStrays(events);
      if (kept.length === 0) return;
      await db
        .insertInto(TABLE)
        .values(
          // In one order everywhere: who adds up the same at once waits, and not in a circle.
          kept
            .toSorted(({ same: a = '' }, { same: b = '' }) => (a < b ? -1 : a > b ? 1 : 0))
            .map(({ medium, address, event, first, last, times, mxid, details, same }) => ({
              medium,
              address,
              event,
              first_ts: first,
              last_ts: last,
              times,
              mxid: mxid ?? null,
              details: JSON.stringify(details),
              same: same ?? null,
            })),
        )
        .onConflict((conflict) =>
          conflict
            .column('same')
            .where('same', 'is not', null)
            .doUpdateSet({
              times: sql`${sql.ref(`${TABLE}.times`)} + excluded.times`,
              last_ts: sql`excluded.last_ts`,
            }),
        )
        .execute();
      await prune([...new Set(kept.map(({ address }) => address))]);
    },

    async of(medium, address) {
      const rows = await db
        .selectFrom(TABLE)
        .selectAll()
        .where('address', '=', address)
        .where('medium', '=', medium)
        .orderBy('first_ts')
        .orderBy('id')
        .execute();
      return rows.map(eventOf);
    },

    async newest(before, limit) {
      let newest = db.selectFrom(TABLE).selectAll().orderBy('id', 'desc').limit(limit);
      if (before !== undefined) newest = newest.where('id', '<', before);
      return (await newest.execute()).map((row) => ({ ...eventOf(row), id: row.id }));
    },

    async recent(medium, since, among) {
      const newest = db
        .selectFrom(TABLE)
        .select(['event', 'medium', 'first_ts'])
        .orderBy('id', 'desc')
        .limit(among);
      const rows = await db
        .selectFrom(newest.as('newest'))
        .select(['event', ({ fn }) => fn.countAll().as('count')])
        .where('medium', '=', medium)
        .where('first_ts', '>=', since)
        .groupBy('event')
        .execute();
      return new Map(rows.map(({ event, count }) => [event, Number(count)]));
    },

    async deleteOld(before, mostInAll, limit) {
      // Ids grow with time: no index is needed by which to find the oldest.
      const oldest = await db
        .selectFrom(TABLE)
        .select(['id', 'first_ts'])
        .orderBy('id')
        .limit(limit)
        .execute();
      const { newest } = await db
        .selectFrom(TABLE)
        .select((all) => all.fn.max('id').as('newest'))
        .executeTakeFirstOrThrow();
      const ids = oldest
        .filter(({ id, first_ts }) => first_ts < before || id <= Number(newest) - mostInAll)
        .map(({ id }) => id);
      if (ids.length > 0) await db.deleteFrom(TABLE).where('id', 'in', ids).execute();
      return ids.length;
    },
  };
}
