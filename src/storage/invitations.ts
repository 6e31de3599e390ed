import type { Db } from './engine.ts';
import type { InvitationStore } from './stores.ts';

/** Sydent's tables of invitations count in seconds. */
const toSeconds = (milliseconds: number): number => Math.floor(milliseconds / 1000);

export function invitationStore(db: Db): InvitationStore {
  return {
    async prepare(token, publicKey, until) {
      await db
        .insertInto('cognomen_invite_keys')
        .values({ token, public_key: publicKey, valid_until: until })
        .execute();
    },

    async confirm(invite, publicKey, now) {
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
      await db
        .insertInto('cognomen_invite_keys')
        .values({ token: invite.token, public_key: publicKey, valid_until: null })
        .onConflict((conflict) => conflict.column('token').doUpdateSet({ valid_until: null }))
        .execute();
    },

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
