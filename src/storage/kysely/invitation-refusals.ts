import type { Db } from '../engines/engine.ts';
import type { InvitationRefusalStore } from '../stores/index.ts';

const TABLE = 'cognomen_invitation_refusals';

export function invitationRefusalStore(db: Db): InvitationRefusalStore {
  return {
    async add(mailboxHash, refusedAt) {
      await db
        .insertInto(TABLE)
        .values({ mailbox_hash: mailboxHash, refused_ts: refusedAt })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    },

    async since(mailboxHash) {
      const row = await db
        .selectFrom(TABLE)
        .select('refused_ts')
        .where('mailbox_hash', '=', mailboxHash)
        .executeTakeFirst();
      return row?.refused_ts;
    },

    async remove(mailboxHash) {
      const { numDeletedRows } = await db
        .deleteFrom(TABLE)
        .where('mailbox_hash', '=', mailboxHash)
        .executeTakeFirst();
      return numDeletedRows > 0n;
    },

    async count() {
      const { count } = await db
        .selectFrom(TABLE)
        .select(({ fn }) => fn.countAll().as('count'))
        .executeTakeFirstOrThrow();
      return Number(count);
    },
  };
}
