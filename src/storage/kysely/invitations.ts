import { type RawBuilder, sql } from 'kysely';
import type { Db, Engine, TextList } from '../engines/engine.ts';
import type { InvitationStore, Invite, PendingOf } from '../stores/index.ts';

/** Sydent's tables of invitations count in seconds. */
export const toSeconds = (milliseconds: number): number => Math.floor(milliseconds / 1000);

/** Values, or their places in a statement that is prepared. */
interface PendingQuery {
  readonly medium: string | RawBuilder<string>;
  readonly addresses: RawBuilder<TextList>;
  /** In seconds. */
  readonly since: number | RawBuilder<number>;
  readonly limit: number | RawBuilder<number>;
}

/** The oldest, found by the address as stored, which an old Sydent did not fold, or in lower case. */
export function pendingInvites(
  engine: Engine,
  db: Db,
  { medium, addresses, since, limit }: PendingQuery,
) {
  const by = (column: string | RawBuilder<string>) =>
    db
      .selectFrom('invite_tokens as invite')
      .where('invite.medium', '=', medium)
      .where(engine.isIn(column, addresses))
      .where('invite.sent_ts', 'is', null)
      .where((where) =>
        where.or([
          where('invite.received_ts', 'is', null),
          where('invite.received_ts', '>=', since),
        ]),
      )
      .select(['invite.id', 'invite.medium', 'invite.address', 'invite.room_id'])
      .select(['invite.sender', 'invite.token']);
  return by('invite.address')
    .union(by(sql<string>`lower(invite.address)`))
    .orderBy('id')
    .limit(limit);
}

type Row = {
  medium: string;
  address: string;
  room_id: string;
  sender: string;
  token: string;
};

export const toInvite = ({ medium, address, room_id, sender, token }: Row): Invite => ({
  medium,
  address,
  sender,
  token,
  roomId: room_id,
});

export function invitationStore(engine: Engine, db: Db): InvitationStore {
  /** Also as Sydent's table has them: an older server on the same file may have delivered them. */
  function counted({ address, sender, isV1, since }: PendingOf) {
    let query = db
      .selectFrom('cognomen_invite_keys as own')
      .innerJoin('invite_tokens as invite', 'invite.token', 'own.token')
      .where('own.valid_until', 'is', null)
      .where('invite.sent_ts', 'is', null)
      .where('own.received_ts', '>=', since);
    if (address !== undefined) query = query.where('own.address', '=', address);
    if (sender !== undefined) query = query.where('own.sender', '=', sender);
    if (isV1 !== undefined) query = query.where('own.is_v1', '=', isV1 ? 1 : 0);
    return query;
  }

  async function deleteMails(tokens: readonly string[]): Promise<void> {
    await db.deleteFrom('cognomen_invite_mails').where('token', 'in', tokens).execute();
  }

  /** No notice carries them any more, their mails are sent no more, and their keys end. */
  async function endPending(tokens: readonly string[], keysUntil: number): Promise<void> {
    await db.deleteFrom('cognomen_notice_invites').where('token', 'in', tokens).execute();
    await deleteMails(tokens);
    await db
      .updateTable('cognomen_invite_keys')
      .set({ valid_until: keysUntil })
      .where('token', 'in', tokens)
      .execute();
  }

  async function remove(tokens: readonly string[], keysUntil: number): Promise<void> {
    if (tokens.length === 0) return;
    await db.deleteFrom('invite_tokens').where('token', 'in', tokens).execute();
    await endPending(tokens, keysUntil);
  }

  return {
    async hasPending(which, count) {
      const last = counted(which)
        .select('own.token')
        .offset(count - 1);
      return (await last.limit(1).executeTakeFirst()) !== undefined;
    },

    async oldestPending(which) {
      const row = await counted(which)
        .leftJoin('cognomen_notice_invites as owed', 'owed.token', 'own.token')
        .where('owed.token', 'is', null)
        .select([
          ...(['invite.medium', 'invite.address', 'invite.room_id', 'invite.sender'] as const),
          ...(['invite.token', 'own.received_ts'] as const),
        ])
        .orderBy('own.received_ts')
        .limit(1)
        .executeTakeFirst();
      return row && { ...toInvite(row), receivedAt: row.received_ts ?? 0 };
    },

    async pending(medium, addresses, since, limit) {
      const rows = await pendingInvites(engine, db, {
        medium,
        addresses: sql`${engine.list(addresses)}`,
        since: toSeconds(since),
        limit,
      }).execute();
      return rows.map(toInvite);
    },

    async markDelivered(tokens, { keep, now, keysUntil }) {
      if (!keep) return remove(tokens, keysUntil);
      if (tokens.length === 0) return;
      await db
        .updateTable('invite_tokens')
        .set({ sent_ts: toSeconds(now) })
        .where('token', 'in', tokens)
        .execute();
      await endPending(tokens, keysUntil);
    },

    remove,

    async prepare(token, publicKey, until) {
      await db
        .insertInto('cognomen_invite_keys')
        .values({ token, public_key: publicKey, valid_until: until })
        .execute();
    },

    async confirm(invite, publicKey, now, mail) {
      await db
        .insertInto('invite_tokens')
        .values({
          medium: invite.medium,
          address: invite.address,
          room_id: invite.roomId,
          sender: invite.sender,
          token: invite.token,
          received_ts: toSeconds(now),
        })
        .execute();
      await db
        .insertInto('ephemeral_public_keys')
        .values({ public_key: publicKey, verify_count: 0, persistence_ts: toSeconds(now) })
        .execute();
      const own = {
        address: invite.address,
        sender: invite.sender,
        is_v1: invite.isV1 ? 1 : 0,
        received_ts: now,
        valid_until: null,
      };
      await db
        .insertInto('cognomen_invite_keys')
        .values({ ...own, token: invite.token, public_key: publicKey })
        .onConflict((conflict) => conflict.column('token').doUpdateSet(own))
        .execute();
      if (mail === undefined) return;
      await db
        .insertInto('cognomen_invite_mails')
        .values({ token: invite.token, shown: mail.shown, sealed: mail.sealed })
        .execute();
    },

    mail: (token) =>
      db
        .selectFrom('cognomen_invite_mails')
        .select(['shown', 'sealed'])
        .where('token', '=', token)
        .executeTakeFirst(),

    async resentTo(address) {
      const rows = await db
        .selectFrom('cognomen_invite_mails as mail')
        .innerJoin('invite_tokens as invite', 'invite.token', 'mail.token')
        .where('invite.medium', '=', 'email')
        .where('invite.address', '=', address)
        .where('mail.resent', '<>', '[]')
        .select(['mail.token', 'mail.resent'])
        .execute();
      return rows.map(({ token, resent }) => ({ token, times: JSON.parse(resent) as number[] }));
    },

    async noteResent(token, times) {
      await db
        .updateTable('cognomen_invite_mails')
        .set({ resent: JSON.stringify(times) })
        .where('token', '=', token)
        .execute();
    },

    async strayMails(after, limit) {
      const rows = await db
        .selectFrom('cognomen_invite_mails as mail')
        .leftJoin('invite_tokens as invite', (join) =>
          join.onRef('invite.token', '=', 'mail.token').on('invite.sent_ts', 'is', null),
        )
        .select(['mail.token', 'invite.id'])
        .where('mail.token', '>', after)
        .orderBy('mail.token')
        .limit(limit)
        .execute();
      return {
        stray: rows.filter(({ id }) => id === null).map(({ token }) => token),
        next: rows.length < limit ? undefined : rows.at(-1)?.token,
      };
    },

    deleteMails,

    async abandon(token) {
      await db.deleteFrom('cognomen_invite_keys').where('token', '=', token).execute();
    },

    async find(token) {
      const row = await db
        .selectFrom('invite_tokens')
        .select(['sender', 'received_ts', 'sent_ts'])
        .where('token', '=', token)
        .limit(1)
        .executeTakeFirst();
      return (
        row && {
          sender: row.sender,
          receivedAt: row.received_ts === null ? undefined : row.received_ts * 1000,
          delivered: row.sent_ts !== null,
        }
      );
    },

    async deleteReceivedBefore(time, keysUntil, limit) {
      const rows = await db
        .selectFrom('invite_tokens as invite')
        .leftJoin('cognomen_notice_invites as owed', 'owed.token', 'invite.token')
        .select(['invite.id', 'invite.token'])
        .where('invite.sent_ts', 'is', null)
        .where('invite.received_ts', '<', toSeconds(time))
        .where('owed.token', 'is', null)
        .limit(limit)
        .execute();
      if (rows.length === 0) return 0;
      await deleteMails(rows.map((row) => row.token));
      await db
        .deleteFrom('invite_tokens')
        .where(
          'id',
          'in',
          rows.map((row) => row.id),
        )
        .execute();
      await db
        .updateTable('cognomen_invite_keys')
        .set({ valid_until: keysUntil })
        .where(
          'token',
          'in',
          rows.map((row) => row.token),
        )
        .execute();
      return rows.length;
    },
  };
}
