import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../engines/engine.ts';
import type { RespellingStore } from '../../stores/index.ts';
import { keyedAssociations } from '../queries/keyed-associations.ts';

/** Looked for by the database: among millions of plain ones there may be none. */
const mayBeSpeltOtherwise = (column: string): RawBuilder<boolean> => {
  const text = sql.ref(column);
  return sql<boolean>`(octet_length(${text}) > length(${text}) or lower(${text}) like '%xn--%')`;
};

export function respellingStore(db: Db): RespellingStore {
  async function last(table: 'global_threepid_associations' | 'invite_tokens'): Promise<number> {
    const row = await db
      .selectFrom(table)
      .select((select) => select.fn.max('id').as('id'))
      .executeTakeFirst();
    return row?.id ?? 0;
  }

  return {
    associationsAfter: (id, limit) =>
      keyedAssociations(db)
        .select(['global.id', 'global.medium', 'global.address', 'global.originServer'])
        .where('lookup.global_id', '>', id)
        .where('global.medium', '=', 'email')
        .where(mayBeSpeltOtherwise('lookup.spelling'))
        .orderBy('lookup.global_id')
        .limit(limit)
        .execute(),

    lastAssociation: () => last('global_threepid_associations'),

    invitationsAfter: (id, limit) =>
      db
        .selectFrom('invite_tokens')
        .select(['id', 'address'])
        .where('id', '>', id)
        .where('medium', '=', 'email')
        .where('sent_ts', 'is', null)
        .where(mayBeSpeltOtherwise('address'))
        .orderBy('id')
        .limit(limit)
        .execute(),

    lastInvitation: () => last('invite_tokens'),

    async setInvitationAddress(id, address) {
      await db.updateTable('invite_tokens').set({ address }).where('id', '=', id).execute();
    },

    sessionsAfter: (id, limit) =>
      db
        .selectFrom('cognomen_sessions')
        .select(['session_id as id', 'address'])
        .where('session_id', '>', id)
        .where('medium', '=', 'email')
        .where(mayBeSpeltOtherwise('address'))
        .orderBy('session_id')
        .limit(limit)
        .execute(),

    async setSessionAddress(id, address) {
      await db
        .updateTable('cognomen_sessions')
        .set({ client_secret: null })
        .where('session_id', '=', id)
        .where('client_secret', 'in', (select) =>
          select
            .selectFrom('cognomen_sessions as other')
            .select('other.client_secret')
            .where('other.medium', '=', 'email')
            .where('other.address', '=', address)
            .where('other.client_secret', 'is not', null),
        )
        .execute();
      await db
        .updateTable('cognomen_sessions')
        .set({ address })
        .where('session_id', '=', id)
        .execute();
    },
  };
}
