import { sql } from 'kysely';
import { plainMailbox } from '../../model/addresses.ts';
import type { Db, Engine } from '../engines/engine.ts';
import type { MailboxRoom, OwnerNotice, OwnerNoticeStore, Person } from '../stores/index.ts';
import type { OwnerTables } from './owner-tables.ts';

const NOTICES = 'cognomen_owner_notices';
const MAILS = 'cognomen_owner_notice_mails';

/** The clocks of processes on one database may differ by so much (ms). */
const SKEW = 5 * 60 * 1000;
/** Nothing is put off for longer: what is due later was put off by a clock that has stepped back since. */
const LONGEST_WAIT = 24 * 60 * 60 * 1000;
/** Notices that are counted for metrics. */
const MOST_COUNTED = 100_000;
/** Milliseconds until it is seen whether a mail under way has taken the last room of its mailbox. */
const UNDER_WAY = 1000;

type Row = OwnerTables[typeof NOTICES];

const toNotice = (row: Row): OwnerNotice => ({
  address: row.address,
  mailbox: row.mailbox,
  mxid: row.mxid,
  newMxid: row.new_mxid ?? undefined,
  homeserver: row.homeserver ?? undefined,
  changedAt: row.changed_ts,
  changes: row.changes,
  since: row.since_ts,
  attempts: row.attempts,
});

export function ownerNoticeStore(engine: Engine, db: Db): OwnerNoticeStore {
  /** Those whose turn it is; two questions, as either takes one look at the index. */
  function inTurn(now: number, changedAfter: number) {
    // By the index of when they are due, not of when they changed.
    const isRecent = sql<boolean>`changed_ts + 0 >= ${changedAfter}`;
    const some = db.selectFrom(NOTICES).where(isRecent);
    return [
      some.where('due_ts', '<=', now),
      some.where('due_ts', '>', now + LONGEST_WAIT + SKEW),
    ] as const;
  }

  const mailsOf = (mailbox: string) =>
    db.selectFrom(MAILS).select(['place', 'sent_ts']).where('mailbox', '=', mailbox).execute();

  /** When there is room for one more mail to the mailbox; undefined: now. */
  async function roomAt(mailbox: string, now: number, room: MailboxRoom) {
    const sent = (await mailsOf(mailbox))
      .map(({ sent_ts }) => sent_ts)
      .filter((time) => time > now - room.within && time <= now + SKEW);
    const { underWay } = await db
      .selectFrom(NOTICES)
      .select(({ fn }) => fn.countAll().as('underWay'))
      .where('mailbox', '=', mailbox)
      .where('claimed_by', 'is not', null)
      .where('due_ts', '>', now)
      .executeTakeFirstOrThrow();
    if (sent.length >= room.mails) return Math.min(...sent) + room.within;
    return sent.length + Number(underWay) >= room.mails ? now + UNDER_WAY : undefined;
  }

  /** Of a person; of an address its own alone. */
  const mentioning = (person: Person) =>
    person.kind === 'user'
      ? sql<boolean>`(mxid = ${person.mxid} or new_mxid = ${person.mxid})`
      : sql<boolean>`address = ${person.address}`;

  const isElsewhere = (person: Person) => person.kind === 'address' && person.medium !== 'email';

  return {
    async add({ address, mailbox, mxid, newMxid = null, homeserver = null, changedAt }) {
      const last = { mxid, new_mxid: newMxid, homeserver, changed_ts: changedAt };
      await db
        .insertInto(NOTICES)
        .values({
          ...{ address, mailbox, ...last, changes: 1, since_ts: changedAt },
          ...{ attempts: 0, due_ts: changedAt, claimed_by: null },
        })
        .onConflict((conflict) =>
          conflict.column('address').doUpdateSet(({ ref }) => ({
            ...last,
            changes: sql`${ref(`${NOTICES}.changes`)} + 1`,
          })),
        )
        .execute();
    },

    async waiting() {
      const some = db.selectFrom(NOTICES).select('address').limit(MOST_COUNTED).as('some');
      const { count } = await db
        .selectFrom(some)
        .select(({ fn }) => fn.countAll().as('count'))
        .executeTakeFirstOrThrow();
      return Number(count);
    },

    async hasDue(now, changedAfter) {
      for (const due of inTurn(now, changedAfter)) {
        if (await due.select('address').limit(1).executeTakeFirst()) return true;
      }
      return false;
    },

    async claim({ holder, now, until }, { limit, changedAfter, except, room }) {
      const [due, putOffTooFar] = inTurn(now, changedAfter).map((some) =>
        some
          .selectAll()
          .$if(except.length > 0, (query) => query.where('address', 'not in', except))
          .orderBy('due_ts'),
      );
      const rows = (await due?.limit(limit).execute()) ?? [];
      if (rows.length < limit) {
        rows.push(...((await putOffTooFar?.limit(limit - rows.length).execute()) ?? []));
      }
      const claimed: OwnerNotice[] = [];
      for (const row of rows) {
        const later = await roomAt(row.mailbox, now, room);
        await db
          .updateTable(NOTICES)
          .set({ claimed_by: later === undefined ? holder : null, due_ts: later ?? until })
          .where('address', '=', row.address)
          .execute();
        if (later === undefined) claimed.push(toNotice(row));
      }
      return { claimed, seen: rows.length };
    },

    async renew({ holder, until }, addresses) {
      if (addresses.length === 0) return;
      await db
        .updateTable(NOTICES)
        .set({ due_ts: until })
        .where(engine.isAnyOf('address', addresses))
        .where('claimed_by', '=', holder)
        .execute();
    },

    async sent({ address, mailbox, changes }, holder, at, room) {
      const row = await db
        .selectFrom(NOTICES)
        .select(['changes', 'claimed_by'])
        .where('address', '=', address)
        .executeTakeFirst();
      // Who was erased meanwhile is not named anew.
      if (row === undefined) return;
      const times = await mailsOf(mailbox);
      const free = Array.from({ length: room.mails }, (_, place) => ({ place, sent_ts: -1 }));
      const places = new Map([...free, ...times].map((one) => [one.place, one]));
      const [{ place } = { place: 0 }] = [...places.values()].sort((a, b) => a.sent_ts - b.sent_ts);
      await db
        .insertInto(MAILS)
        .values({ mailbox, place, sent_ts: at.sent })
        .onConflict((conflict) =>
          conflict.columns(['mailbox', 'place']).doUpdateSet({ sent_ts: at.sent }),
        )
        .execute();
      if (row.claimed_by !== holder) return;
      if (row.changes <= changes) {
        await db.deleteFrom(NOTICES).where('address', '=', address).execute();
        return;
      }
      await db
        .updateTable(NOTICES)
        .set({ changes: row.changes - changes, since_ts: at.claimed, attempts: 0 })
        .set({ due_ts: at.sent, claimed_by: null })
        .where('address', '=', address)
        .execute();
    },

    async postpone({ address, attempts }, holder, until) {
      await db
        .updateTable(NOTICES)
        .set({ attempts: attempts + 1, due_ts: until, claimed_by: null })
        .where('address', '=', address)
        .where('claimed_by', '=', holder)
        .execute();
    },

    async giveUp(before, limit) {
      const rows = await db
        .selectFrom(NOTICES)
        .select('address')
        .where('changed_ts', '<', before)
        .orderBy('changed_ts')
        .limit(limit)
        .execute();
      const addresses = rows.map(({ address }) => address);
      if (addresses.length > 0) {
        await db.deleteFrom(NOTICES).where(engine.isAnyOf('address', addresses)).execute();
      }
      return addresses;
    },

    async forgetMails(before, limit) {
      const old = db
        .selectFrom(MAILS)
        .select(['mailbox', 'place'])
        .where('sent_ts', '<', before)
        .orderBy('sent_ts')
        .limit(limit);
      const rows = await old.execute();
      for (const { mailbox, place } of rows) {
        await db
          .deleteFrom(MAILS)
          .where('mailbox', '=', mailbox)
          .where('place', '=', place)
          .execute();
      }
      return rows.length;
    },

    async keptOf(person, limit) {
      if (isElsewhere(person)) return [];
      const rows = await db
        .selectFrom(NOTICES)
        .select(['address', 'mxid', 'new_mxid', 'homeserver', 'changes', 'since_ts', 'changed_ts'])
        .where(mentioning(person))
        .limit(limit)
        .execute();
      if (person.kind === 'user') return rows;
      const sent = await mailsOf(plainMailbox(person.address));
      return [...rows, ...sent.map(({ sent_ts }) => ({ mailed_ts: sent_ts }))];
    },

    async remove(person) {
      if (isElsewhere(person)) return 0;
      if (person.kind === 'address') {
        await db.deleteFrom(MAILS).where('mailbox', '=', plainMailbox(person.address)).execute();
      }
      const { numDeletedRows } = await db
        .deleteFrom(NOTICES)
        .where(mentioning(person))
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}
